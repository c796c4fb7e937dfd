"""Bounds on what connections may cost: their number, their time, and the bytes that they send."""

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
"""Connections taken before any of them is looked at."""

KEEP_ALIVE_SECONDS = 5
SILENT_SECONDS = 6.0
"""How long a connection may be without a whole request."""

STALLED_SECONDS = 5.0
"""How long a reader may read nothing of an answer that has begun."""

REQUEST_SECONDS = 40.0
"""How long a request may take, from its last header to the last byte of its answer."""

SWEEP_SECONDS = 0.5

_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
MAX_CONNECTIONS = max(8, min(256, _FILES // 4))
"""Beyond, the connection that has been of least use for longest makes way for a new one."""


class BoundedProtocol(H11Protocol):
    """A connection that is given up when it takes too long, or when there are too many."""

    since = 0.0
    """When it was made, a request came whole, an answer ended or its reader went on reading, by
    time.monotonic.
    """
    is_stalled = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and let go of another if there are too many."""
        super().connection_made(transport)
        self.since = time.monotonic()
        if len(self.connections) > MAX_CONNECTIONS:
            others = [its for its in self.connections if isinstance(its, BoundedProtocol)]
            worst = min(others, key=lambda its: (its.is_busy and not its.is_stalled, its.since))
            worst.give_up()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; headers that come one by one are no sign of progress."""
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
        """Note that the reader goes on."""
        self.is_stalled, self.since = False, time.monotonic()
        super().resume_writing()

    def is_overdue(self, now: float) -> bool:
        """Whether it has taken longer than it may."""
        if self.is_stalled:
            limit = STALLED_SECONDS
        else:
            limit = REQUEST_SECONDS if self.is_busy else SILENT_SECONDS
        return now - self.since > limit

    def give_up(self) -> None:
        """Close at once, whatever is not read yet."""
        self.connections.discard(self)
        self.transport.abort()


async def sweep(connections: Iterable[Any]) -> None:
    """Give up connections that take too long, from now on."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(connections):
            if connection.is_overdue(now):
                connection.give_up()


def refuse_bodies(pages: ASGIApp) -> ASGIApp:
    """Return the application for requests without a body; with one, the connection ends."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            words = "no request here takes a body; send none\n"
            refusal = PlainTextResponse(words, 413, {"connection": "close"})
            await refusal(scope, receive, send)
            return
        await pages(scope, receive, send)

    return bounded
