"""Limits on connections: their number, their time, and the bytes that they send."""

import asyncio
import resource
import time
from collections.abc import Iterable
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD_BYTES = 16 * 1024
ACCEPTED_AT_ONCE = 16
"""Connections accepted before any of them is served."""

KEEP_ALIVE_SECONDS = 5
SILENT_SECONDS = 6.0
"""How long a connection may go without a complete request."""

STALLED_SECONDS = 5.0
"""How long a reader may read nothing of an answer."""

REQUEST_SECONDS = 40.0
"""How long a request may take, from its last header to the last byte of its answer."""

SWEEP_SECONDS = 0.5

_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
MAX_CONNECTIONS = max(8, min(256, _FILES // 4))
"""Beyond, the connection that has been idle or stalled for longest is closed for a new one."""


class BoundedProtocol(H11Protocol):
    """A connection that is closed when it takes too long, or when there are too many."""

    since = 0.0
    """Time of its last progress, by time.monotonic: it was made, a request was complete, an answer
    ended or its reader continued.
    """
    is_stalled = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, and close another one if there are too many."""
        super().connection_made(transport)
        self.since = time.monotonic()
        if len(self.connections) > MAX_CONNECTIONS:
            others = [other for other in self.connections if isinstance(other, BoundedProtocol)]
            worst = min(
                others, key=lambda other: (other.is_busy and not other.is_stalled, other.since)
            )
            worst.give_up()

    def data_received(self, data: bytes) -> None:
        """Receive bytes; headers that arrive one by one are not progress."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self.since = time.monotonic()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.since = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Note that the reader does not keep up."""
        self.is_stalled, self.since = True, time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the reader continues."""
        self.is_stalled, self.since = False, time.monotonic()
        super().resume_writing()

    def is_overdue(self, now: float) -> bool:
        """Whether it has made no progress for too long."""
        if self.is_stalled:
            limit = STALLED_SECONDS
        else:
            limit = REQUEST_SECONDS if self.is_busy else SILENT_SECONDS
        return now - self.since > limit

    def give_up(self) -> None:
        """Close at once, even if an answer has not been read."""
        self.connections.discard(self)
        self.transport.abort()


async def sweep(connections: Iterable[Any]) -> None:
    """Close connections that take too long, forever."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(connections):
            if connection.is_overdue(now):
                connection.give_up()


class RefuseBodies:
    """An application that rejects requests with a body and closes their connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request without a body."""
        headers = dict(scope["headers"])
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            words = "requests must not have a body here\n"
            refusal = PlainTextResponse(words, 413, {"connection": "close"})
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
