"""Bodies of requests, in bounds: of each, and of all that are in memory."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from server.http.coding.decoding import decode, too_large
from server.http.errors import CALLER_LEFT, LATER, HttpError

KEY = "body"

BODIES, ANSWERS = 4, 12
"""How many bodies of the largest size may be in memory at once, what gRPC answers included, and how
much of answers that are being read, in such bodies.
"""

PATIENCE_SECONDS = 5.0
"""How long a body may take to arrive while there is no room for others."""


class Bodies:
    """The room for the bodies of all requests, and for what gRPC answers."""

    def __init__(self, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        self.max_bytes = BODIES * max_body_bytes
        self.bytes = 0
        self._bodies: dict[Body, None] = {}

    @contextlib.contextmanager
    def one(self, scope: Scope) -> Iterator["Body"]:
        """Give a request room for its body until it has ended."""
        body = Body(self)
        self._bodies[body] = None
        scope.setdefault("state", {})[KEY] = body
        try:
            yield body
        finally:
            del self._bodies[body]
            body.release()

    def make_room(self, size: int, asking: "Body") -> bool:
        """Return whether there is room for so many bytes, if need be after giving up other bodies
        that have been arriving for long, the oldest first.
        """
        now = time.monotonic()
        for body in self._bodies:
            if self.bytes + size <= self.max_bytes:
                break
            is_slow = body.is_arriving and now - body.since > PATIENCE_SECONDS
            if is_slow and body is not asking:
                body.give_up()
        return self.bytes + size <= self.max_bytes


class Body:
    """One request's body, as far as it is in memory."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.bytes, self.since = 0, time.monotonic()
        self.is_arriving = self.is_given_up = False
        self._task = asyncio.current_task()

    def take(self, size: int) -> None:
        """Take room for so many bytes; raises HttpError when there is none."""
        if not self.bodies.make_room(size, self):
            raise HttpError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"other requests and their answers fill all {self.bodies.max_bytes} bytes of the "
                "buffer; retry later",
                reason="BODIES",
                headers=LATER,
            )
        self.bytes += size
        self.bodies.bytes += size

    def release(self) -> None:
        """Leave its room to others."""
        self.bodies.bytes -= self.bytes
        self.bytes = 0

    def give_up(self) -> None:
        """Have its reader refused, and its room taken."""
        self.is_arriving, self.is_given_up = False, True
        self.release()
        if self._task is not None:
            self._task.cancel()


def hold(scope: Scope, size: int) -> None:
    """Count bytes that a request has besides its body, such as an answer; raises HttpError when
    there is no room for them.
    """
    body = scope["state"][KEY]
    assert isinstance(body, Body)
    body.take(size)


async def read_body(request: Request, max_bytes: int | None = None) -> bytes:
    """Return a request's body, expanded if it is compressed; raises HttpError when it has more than
    `max_bytes`, or than bodies may have, or takes too long while others wait for room.
    """
    body = request.scope["state"][KEY]
    assert isinstance(body, Body)
    body.is_arriving = True
    most = body.bodies.max_body_bytes
    max_bytes = most if max_bytes is None else min(max_bytes, most)
    try:
        content = await _receive(request, body, max_bytes)
    except ClientDisconnect as error:
        raise HttpError(CALLER_LEFT, "the caller has left") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if not body.is_given_up or task is None:
            raise
        task.uncancel()
        raise HttpError(
            HTTPStatus.REQUEST_TIMEOUT,
            "the body took too long to arrive while others waited; send it faster, or in parts",
            reason="SLOW_BODY",
            headers=LATER,
        ) from error
    finally:
        body.is_arriving = False
    coding = request.headers.get("content-encoding", "")
    decoded = await decode(coding, content, max_bytes)
    if decoded is not content:
        body.take(len(decoded))
    return decoded


async def _receive(request: Request, body: Body, max_bytes: int) -> bytes:
    length = request.headers.get("content-length", "")
    expected = int(length) if length.isdigit() else 0
    if expected > max_bytes:
        raise too_large(max_bytes)
    # At once, so that those which begin can end; what comes in chunks is counted as it comes.
    body.take(expected)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise too_large(max_bytes)
        if size > expected:
            body.take(len(part))
        parts.append(part)
    return b"".join(parts)
