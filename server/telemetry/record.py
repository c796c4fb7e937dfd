"""What is noted of the few calls that are logged or traced, while they are answered."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from server.models.model import Model

if TYPE_CHECKING:
    # An optional package, which is imported only when there are traces.
    from opentelemetry.trace import Span

MOST_STAGES = 64
"""Stages noted of a call: those of 16 messages, where the call is a stream."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What a run was for: `calls` with `images` images, some of which have `spans`."""

    calls: int
    images: int
    spans: "Sequence[Span]"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a call's time: decode, queue, run or encode; from `begin` to `end` by
    time.perf_counter.
    """

    name: str
    begin: float
    end: float
    joined: Joined | None = None


@dataclass(slots=True, eq=False)
class Record:
    """What is noted of one call; `span` is there when it is traced.

    `request_id` and `traceparent` are as its caller gave them, or else empty. `images` are those of
    all its messages, `model` the one that answered last. `reason` is that of its error.
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
        """Note that a model is to classify some images."""
        self.model = model
        self.images += images

    def add(self, *stages: Stage) -> None:
        """Note where the time of a message went, if anybody wants to see it."""
        if self.span is not None and len(self.stages) < MOST_STAGES:
            self.stages += stages


CURRENT: ContextVar[Record | None] = ContextVar("record", default=None)
"""The record of the call that a thread answers, where it answers one at a time."""


class Call(Protocol):
    """A call of a run; see `batching.Call`."""

    record: Record | None
    begin: float
    size: int
    waiting_since: float


def note_run(
    calls: Sequence[Call], model: Model, images: int, begin: float, ran: float, encoded: float
) -> None:
    """Note a run of a model and when its answers were written, for those calls that have records;
    the times are by time.perf_counter.
    """
    noted = [(call, call.record) for call in calls if call.record is not None]
    if not noted:
        return
    spans = [record.span for _, record in noted if record.span is not None]
    run = Stage("run", begin, ran, Joined(len(calls), images, spans))
    encode = Stage("encode", ran, encoded)
    for call, record in noted:
        record.predict(model, call.size)
        # What a call waits before it is read counts as waiting, too.
        decode = Stage("decode", call.begin, call.waiting_since)
        record.add(decode, Stage("queue", call.waiting_since, begin), run, encode)
