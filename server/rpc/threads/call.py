"""A call that a thread serves, and a message of it that waits for its answer."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import grpc
import structlog

from server.errors import Cancelled, Expired, RequestError, reason_of
from server.rpc.admission import Method
from server.rpc.lane.outbox import Outbox
from server.rpc.status import Status, status_of
from server.rpc.threads.pools import GivenUp, Pool
from server.running.calls import Read, count_refusal
from server.running.request import Request
from server.telemetry.codes import code_name
from server.telemetry.record import Record
from server.telemetry.recording import Pairs, trailing

log = structlog.get_logger()

_UNREAD = {
    grpc.StatusCode.CANCELLED: Cancelled("cancelled", "the caller has left"),
    grpc.StatusCode.DEADLINE_EXCEEDED: Expired(
        "deadline", "the call's deadline passed before its message was read"
    ),
}
"""Why calls end whose callers left before their messages were read."""


class Refused(Exception):
    """An error that ends a call, and has been counted."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True, eq=False)
class ThreadMessage:
    """A message on a thread, be it the only one of its call; see `running.calls.Call`.

    Once answered, `response` or `error` holds how it ends.
    """

    read: Read
    message: bytes
    metadata: Iterable[tuple[str, str | bytes]] = ()
    record: Record | None = None
    deadline: float = math.inf
    cancelled: bool = False
    begin: float = field(default_factory=time.perf_counter)
    request: Request = field(init=False)
    pixels: memoryview = field(init=False)
    identifier: bytes = field(init=False)
    size: int = field(init=False)
    held_bytes: int = 0
    waiting_since: float = field(init=False)
    response: bytes | None = None
    error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether it is known how it ends."""
        return self.response is not None or self.error is not None

    def answer(self, response: bytes) -> None:
        """Keep the response."""
        self.response = response

    def refuse(self, error: Exception) -> None:
        """Keep the error, without the frames in which it came about: these hold the call, and with
        it a message that may be large, which would be there until the next collection.
        """
        self.error = error.with_traceback(None)


@dataclass(frozen=True, slots=True)
class ThreadMethod:
    """A method, the threads that serve its calls, and what bounds its answers."""

    method: Method
    pool: Pool
    outbox: Outbox


class ThreadCall:
    """A call from its arrival to its end, counted once.

    `refusal` is why it must not be answered. `needs_message` is true while its message is awaited,
    `received` and `sent` count its messages, and `code` is how it ends if nothing else happens.
    """

    __slots__ = (
        "_is_over",
        "begin",
        "code",
        "metadata",
        "needs_message",
        "received",
        "record",
        "refusal",
        "sent",
        "served",
    )

    def __init__(self, served: ThreadMethod, metadata: Pairs) -> None:
        self.served, self.metadata = served, metadata
        method = served.method
        self.begin = method.start()
        self._is_over = False
        self.code = grpc.StatusCode.UNKNOWN
        self.received = self.sent = 0
        self.needs_message = False
        self.refusal: Exception | None
        record = None
        try:
            record, self.refusal = method.admit(self.begin, metadata, served.pool.gate)
        except Exception as error:
            log.exception("call failed")
            self.refusal = error
        # A record costs little here, and errors then show all that is known.
        self.record = record or Record()

    def end(self) -> None:
        """Count the call, as it has ended."""
        if self._is_over:
            return
        self._is_over = True
        self.served.pool.finish()
        method = self.served.method
        seconds = method.end(self.begin, code_name(self.code), self.received, self.sent)
        method.write(self.record, self.code, self.begin, seconds)

    def end_naturally(self, context: grpc.ServicerContext) -> None:
        """Note that the handler is done: the caller has what it wanted, unless it has left."""
        self.code = _left(context) or grpc.StatusCode.OK

    def fail(self, error: BaseException, context: grpc.ServicerContext) -> Status | None:
        """Note the error that ends the call; returns the status to end it with, None when it has
        ended.
        """
        if isinstance(error, GivenUp):
            self._note(error.error)
            self.code = status_of(error.error).code
            return None
        if isinstance(error, grpc.RpcError) and (code := _left(context)):
            self.code = code
            if self.needs_message:
                self._note(_UNREAD[code])
            return None
        if isinstance(error, Refused):
            cause = error.error
            self.record.reason = reason_of(cause)
        else:
            if not isinstance(error, RequestError):
                log.error("call failed", exc_info=error)
            cause = error if isinstance(error, Exception) else RuntimeError(str(error))
            self._note(cause)
        status = status_of(cause)
        self.code = status.code
        trailers = status.trailing_metadata + trailing(self.record)
        return replace(status, trailing_metadata=trailers)

    def _note(self, error: Exception) -> None:
        count_refusal(error)
        self.record.reason = reason_of(error)


def _left(context: grpc.ServicerContext) -> grpc.StatusCode | None:
    """Return how a call ended if its caller is gone, else None."""
    if context.is_active():
        return None
    remaining = context.time_remaining()
    expired = remaining is not None and remaining <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
