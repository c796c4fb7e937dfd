"""Limits on connections: their number, their time, and the bytes that they send."""

import asyncio
import resource
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import h11
import orjson
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.http.connections.caller import KEY, Caller
from server.http.connections.writing import PIECE_BYTES, JoiningTransport, acknowledged
from server.http.errors import explain

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
"""Beyond, one is closed for a new one: the one that has been idle or stalled for longest, else the
one whose body has been arriving for longest.
"""


class BoundedProtocol(H11Protocol):
    """A connection that is closed when it takes too long, or when there are too many."""

    since = 0.0
    """Time of its last progress, by time.monotonic: it was made, a request was complete, an answer
    ended or its reader continued.
    """
    is_stalled = False
    acknowledged = 0
    """What the reader of a stalled answer had when that was last looked at."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def worth(self) -> int:
        """How much is lost with it: 2 for an answer, 1 for a body that is arriving."""
        if not self.is_busy or self.is_stalled:
            return 0
        return 1 if self.cycle.more_body else 2

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, and close another one if there are too many."""
        super().connection_made(transport)
        # TLS would have more.
        transport.set_write_buffer_limits(PIECE_BYTES)
        joining = JoiningTransport(transport)
        # It has what uvicorn uses of it.
        self.transport = joining  # type: ignore[assignment]
        self.caller = Caller(bool(transport.get_extra_info("peercert")), joining)
        # Each request gets a copy of it.
        self.app_state = {**self.app_state, KEY: self.caller}
        self.since = time.monotonic()
        if len(self.connections) > MAX_CONNECTIONS:
            others = [other for other in self.connections if isinstance(other, BoundedProtocol)]
            min(others, key=lambda other: (other.worth, other.since)).give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is being done for whoever has left."""
        super().connection_lost(exc)
        self.caller.leave()

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
        self.acknowledged = acknowledged(self.transport)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the reader continues."""
        self.is_stalled, self.since = False, time.monotonic()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        body = orjson.dumps({"error": msg, "code": "INVALID_ARGUMENT"})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def is_overdue(self, now: float) -> bool:
        """Whether it has made no progress for too long."""
        if self.is_stalled:
            limit = STALLED_SECONDS
            # Even a slow reader is one.
            if (received := acknowledged(self.transport)) > self.acknowledged:
                self.acknowledged, self.since = received, now
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


class Bodiless:
    """An application for GET and HEAD alone; a request with a body is refused with its
    connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request without a body."""
        headers = dict(scope["headers"])
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            words = "requests must not have a body here\n"
            answer = PlainTextResponse(words, 413, {"connection": "close"})
            await answer(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            refusal = HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"})
            await explain(refusal, scope).response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)
