"""A call that waits for its answer, on the lane or on threads, and how it ends with an error."""

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from server.errors import reason_of
from server.running.request import Request
from server.telemetry import metrics
from server.telemetry.codes import code_name, code_of
from server.telemetry.record import Record
from server.telemetry.version_stats import VersionStats

log = structlog.get_logger()

Read = Callable[[bytes, bool], tuple[Request, memoryview, bytes]]
"""Returns a message's request, its pixels and its identifier; raises InvalidField, and TakesLong
unless the second argument is true.
"""

NO_PIXELS = memoryview(b"")

NOT_COUNTED = "calls are answered, but not counted"


class Call(Protocol):
    """A call that waits for its answer; it gets exactly one, from any thread.

    `begin` is when it arrived, by time.perf_counter. From `request` on, the fields are filled in
    while it is answered.
    """

    message: bytes
    begin: float
    deadline: float
    """When its caller stops waiting, by time.perf_counter; far in the future for never."""
    cancelled: bool
    record: Record | None
    """Where to note its progress, when the call is logged, traced or timed."""
    request: Request
    pixels: memoryview
    identifier: bytes
    """What its answer repeats of the message, serialized."""
    size: int
    """Its number of images."""
    held_bytes: int
    """Bytes of its message that are kept while it waits."""
    waiting_since: float
    """When it arrived, later by the time that reading took."""

    @property
    def ended(self) -> bool:
        """Whether it has its answer; further ones are ignored."""
        ...

    @property
    def read(self) -> Read:
        """The function that reads its message."""
        ...

    @property
    def metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The caller's pairs of key and value."""
        ...

    def answer(self, response: bytes) -> None:
        """End the call with a serialized response."""
        ...

    def refuse(self, error: Exception) -> None:
        """End the call with the error's status."""
        ...


def refuse(call: Call, error: Exception) -> None:
    """End a call with an error; does nothing when it has ended."""
    if call.ended:
        return
    count_refusal(error)
    call.refuse(error)
    release(call)


def fail(call: Call, error: Exception, stats: VersionStats) -> None:
    """End a call with an error, and count it among the failures of the version that it is for."""
    if call.ended:
        return
    span = call.record.span if call.record is not None else None
    try:
        stats.predictions.count_failure(call.begin, code_name(code_of(error)), span)
    except Exception:
        log.exception(NOT_COUNTED)
    refuse(call, error)


def fail_all(calls: Iterable[Call], error: Exception, stats: VersionStats) -> None:
    """Fail those calls that have not ended."""
    for call in calls:
        fail(call, error, stats)


def refuse_all(calls: Iterable[Call], error: Exception) -> None:
    """End those calls that have not ended, with an error."""
    for call in calls:
        refuse(call, error)


def count_refusal(error: Exception) -> None:
    """Count an error that ends a call, by its reason."""
    try:
        metrics.REJECTED.labels(reason_of(error)).inc()
    except Exception:
        log.exception(NOT_COUNTED)


def release(call: Call) -> None:
    """Release a call's message: the call itself lives until its caller has read the answer."""
    call.message, call.pixels = b"", NO_PIXELS
