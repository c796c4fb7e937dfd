"""What is recorded about the few calls that are logged or traced, while they are answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from server.telemetry.model import Model
from server.telemetry.predictions import TimedCall

if TYPE_CHECKING:
    # An optional package, which is imported only when there are traces.
    from opentelemetry.trace import Span

MAX_STAGES = 64
"""Stages recorded per call: those of 16 messages, if the call is a stream."""


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


@dataclass(slots=True, eq=False)
class Record:
    """What is recorded about one call; `span` is set when it is traced.

    `request_id` and `traceparent` are what its caller sent, or empty. `images` counts those of all
    its messages, `model` is the one that answered last, `reason` that of its error.
    """

    request_id: str = ""
    traceparent: str = ""
    is_logged: bool = False
    span: "Span | None" = None
    model: Model | None = None
    images: int = 0
    reason: str = ""
    stages: tuple[Stage, ...] = ()

    def predict(self, model: Model, images: int) -> None:
        """Record that a model is about to classify some images."""
        self.model = model
        self.images += images

    def add(self, *stages: Stage) -> None:
        """Record where the time of a message went, when the call is traced."""
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
) -> None:
    """Record a run of a model, and when its answers were written, for the calls with records; times
    are by time.perf_counter.
    """
    recorded = [(call, call.record) for call in calls if call.record is not None]
    if not recorded:
        return
    spans = [record.span for _, record in recorded if record.span is not None]
    run = Stage("run", begin, ran, len(calls), images, spans)
    encode = Stage("encode", ran, encoded)
    for call, record in recorded:
        record.predict(model, call.size)
        # The time before a call is read counts as waiting, too.
        decode = Stage("decode", call.begin, call.waiting_since)
        record.add(decode, Stage("queue", call.waiting_since, begin), run, encode)
