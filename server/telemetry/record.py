"""What is recorded of the few calls that are logged, traced or timed, while they are answered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from server.reasons.requests import RequestReason
from server.telemetry.accumulators import Exemplars
from server.telemetry.model import Model
from server.telemetry.predictions import TimedCall

if TYPE_CHECKING:
    # An optional package, which is imported only when there are traces.
    from opentelemetry.trace import Span

MAX_STAGES = 64
"""Stages recorded per call: those of 16 messages, if the call is a stream."""


SERVER_TIMING = "server-timing"
"""The trailing metadata, and over HTTP the header, that tells where the time of a call went."""


def write_timing(entries: Iterable[tuple[str, float]]) -> str:
    """Return parts of a call's time, each by its name and in seconds, as milliseconds in the syntax
    of W3C's Server-Timing.
    """
    return ", ".join(f"{name};dur={1000 * seconds:.3f}" for name, seconds in entries)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a call's time: decode, queue, run or encode; times are by time.perf_counter.

    A run answered `calls` with `images` images in all; `spans` are of the traced ones.
    """

    name: str
    begin: float
    end: float
    calls: int = 0
    images: int = 0
    spans: "Sequence[Span]" = ()


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """Where the time of a call went that began at `begin`, by time.perf_counter: the seconds of
    each stage, as sums over its messages.
    """

    begin: float
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stages: Sequence[Stage]) -> None:
        """Add stages of a message."""
        for stage in stages:
            sofar = self.seconds.get(stage.name, 0.0)
            self.seconds[stage.name] = sofar + stage.end - stage.begin


@dataclass(slots=True, eq=False)
class Record:
    """What is recorded about one call; `span` is set when it is traced, `timing` when its caller
    wants to know.

    `request_id` and `traceparent` are what its caller sent, or empty. `images` counts those of all
    its messages, `model` is the one that answered last, `reason` that of its error.
    """

    request_id: str = ""
    traceparent: str = ""
    is_logged: bool = False
    span: "Span | None" = None
    timing: Timing | None = None
    model: Model | None = None
    images: int = 0
    reason: RequestReason | Literal[""] = ""
    stages: tuple[Stage, ...] = ()

    def predict(self, model: Model, images: int) -> None:
        """Record that a model is about to classify some images."""
        self.model = model
        self.images += images

    def add(self, *stages: Stage) -> None:
        """Record where the time of a message went, when the call is traced or timed."""
        if self.timing is not None:
            self.timing.add(stages)
        if self.span is not None and len(self.stages) < MAX_STAGES:
            self.stages += stages


class RecordedCall(TimedCall, Protocol):
    """A call that a run answers, and that may have a record."""

    record: Record | None
    size: int


def note_run(
    calls: Sequence[RecordedCall],
    model: Model,
    images: int,
    begin: float,
    ran: float,
    encoded: float,
) -> bool:
    """Record a run of a model, and when its answers were written, for the calls with records; times
    are by time.perf_counter. Returns whether any of them is traced.
    """
    recorded = [(call, call.record) for call in calls if call.record is not None]
    if not recorded:
        return False
    spans = [record.span for _, record in recorded if record.span is not None]
    run = Stage("run", begin, ran, len(calls), images, spans)
    encode = Stage("encode", ran, encoded)
    for call, record in recorded:
        record.predict(model, call.size)
        record.add(*_before_run(call, begin), run, encode)
    return bool(spans)


def note_exemplars(calls: Iterable[RecordedCall], exemplars: Exemplars, encoded: float) -> None:
    """Note those of the calls that are traced, whose answers were written then."""
    for call in calls:
        if call.record is not None and call.record.span is not None:
            exemplars.note(call.record.span, encoded - call.begin)


def note_expired(call: RecordedCall, record: Record, model: Model, now: float) -> None:
    """Record of a call that it has waited for a run of a model for too long, until now."""
    record.predict(model, call.size)
    record.add(*_before_run(call, now))


def _before_run(call: RecordedCall, begin: float) -> tuple[Stage, Stage]:
    """Return the stages of a call before its run, which began then."""
    # The time before a call is read counts as waiting, too.
    decode = Stage("decode", call.begin, call.waiting_since)
    return decode, Stage("queue", call.waiting_since, begin)
