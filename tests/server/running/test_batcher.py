"""Whatever goes wrong in a run, each call has an answer or an error, and its model goes on."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictResponse
from server.errors import Cancelled, Expired, InvalidField, Overloaded, TakesLong, TooLarge
from server.models.model import Batch, Model, load_model
from server.models.repository import Models, Versions
from server.models.served import Served
from server.rpc import classifier
from server.running import run
from server.running.batcher import RUNNERS, Batcher
from server.running.calls import Read
from server.running.request import Request
from server.telemetry.predictions import Predictions
from server.telemetry.record import Record
from server.telemetry.version_stats import VERSIONS, VersionStats

PATIENCE_SECONDS = 30.0
SLOW, FAST = (10.0, 10.0), (1e-6, 1e-6)
"""What runs take, as far as the batcher knows."""


@dataclass(eq=False)
class FakeCall:
    """A call without gRPC, and how it has ended."""

    message: bytes
    read: Read = classifier.read_request
    deadline: float = float("inf")
    cancelled: bool = False
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    record: Record | None = None
    begin: float = 0.0
    waiting_since: float = 0.0
    size: int = 0
    held_bytes: int = 0
    request: Request = field(init=False)
    pixels: memoryview = field(init=False)
    identifier: bytes = field(init=False)
    response: bytes | None = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None

    @property
    def ended(self) -> bool:
        return self.done.is_set()

    def answer(self, response: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        assert not self.ended
        self.response = response
        self.done.set()

    def refuse(self, error: Exception) -> None:
        assert not self.ended
        self.error = error
        self.done.set()

    def wait(self) -> "FakeCall":
        assert self.done.wait(PATIENCE_SECONDS), "the call has neither answer nor error"
        return self


@dataclass
class Gate:
    """A session that runs when a test lets it."""

    session: Any
    open: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run(self, outputs: Sequence[str], feeds: dict[str, Batch]) -> list[Batch]:
        self.began.release()
        assert self.open.acquire(timeout=PATIENCE_SECONDS)
        answers: list[Batch] = self.session.run(outputs, feeds)
        return answers


@pytest.fixture(scope="module")
def small(models: Path) -> Model:
    """A model of four pixels."""
    return load_model(models / "small" / "1" / "model.onnx", "small", 1)


def named(model: Model, name: str, seconds: tuple[float, float], session: Any = None) -> Model:
    return replace(model, name=name, run_seconds=seconds, session=session or model.session)


def serve(*models: Model, images: int = 1000, queued_bytes: int = 1 << 27) -> Batcher:
    served = Served(
        Models(
            {model.name: Versions({model.version: model}, {}, model) for model in models},
            models[0].name,
        )
    )
    return Batcher(8, images, 1 << 20, queued_bytes, served)


def message(name: str = "", images: int = 1, spare: bytes = b"") -> bytes:
    return PredictRequest(model=name, pixels=[0.5] * 4 * images).SerializeToString() + spare


def labels(call: FakeCall) -> int:
    assert call.response is not None, call.error
    return len(PredictResponse.FromString(call.response).labels)


Break = Callable[[pytest.MonkeyPatch, Exception], None]


class Broken:
    """Raises whatever is done with it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, *_arguments: object, **_more: object) -> None:
        raise self._error

    def __getattr__(self, _name: str) -> "Broken":
        return self


def break_at(place: object, name: str) -> Break:
    """Return what replaces a function, or a metric, by one that raises."""
    return lambda patch, error: patch.setattr(place, name, Broken(error))


FAILING = {
    "reading": break_at(classifier, "check_version"),
    "finding the model": break_at(Models, "find"),
    "finding the queue": break_at(VERSIONS, "stats"),
    "running": break_at(run, "run"),
    "dropping": break_at(run, "drop_abandoned"),
    "writing": break_at(run, "write"),
    "splitting": break_at(run, "split"),
}
UNHURT = {
    "counting the run": break_at(VersionStats, "count_run"),
    "counting the times": break_at(Predictions, "count_run"),
    "looking at the images": break_at(run, "_observe"),
    "noting": break_at(run, "note_run"),
}


@pytest.mark.parametrize("seconds", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("error", [ValueError("bug"), MemoryError(), OverflowError("int64")])
@pytest.mark.parametrize("place", FAILING)
def test_an_error_anywhere_ends_the_calls_and_not_the_model(
    small: Model, place: str, error: Exception, seconds: tuple[float, float]
) -> None:
    batcher = serve(named(small, "small", seconds))
    with pytest.MonkeyPatch.context() as patch:
        FAILING[place](patch, error)
        failed = [
            FakeCall(PredictRequest(pixels=[0.5] * 4, label="a", version=0).SerializeToString())
        ]
        if place != "reading":
            failed = [FakeCall(message(images=count)) for count in (1, 2, 3)]
        batcher.take(failed)
        assert all(call.wait().error for call in failed)
    again = [FakeCall(message(images=count)) for count in (1, 2, 3)]
    batcher.take(again)
    assert [labels(call.wait()) for call in again] == [1, 2, 3]
    wait_for(lambda: batcher.is_alive and batcher._queues.images == batcher._queues.bytes == 0)


@pytest.mark.parametrize("seconds", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("place", UNHURT)
def test_an_error_in_counting_costs_no_answer(
    small: Model, place: str, seconds: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = serve(named(small, "small", seconds))
    UNHURT[place](monkeypatch, MemoryError())
    calls = [FakeCall(message()) for _ in range(5)]
    batcher.take(calls)
    assert [labels(call.wait()) for call in calls] == [1] * 5


def test_an_error_in_counting_a_failure_ends_the_call(
    small: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = serve(named(small, "small", FAST))
    break_at(Predictions, "count_failure")(monkeypatch, MemoryError())
    failing = FakeCall(PredictRequest(pixels=[0.5] * 3).SerializeToString())
    batcher.take([failing])
    assert isinstance(failing.wait().error, InvalidField)


@pytest.mark.parametrize("seconds", [FAST, SLOW], ids=["fast", "slow"])
def test_a_call_that_takes_no_answer_costs_the_others_none(
    small: Model, seconds: tuple[float, float]
) -> None:
    batcher = serve(named(small, "small", seconds))
    calls = [FakeCall(message()) for _ in range(3)]
    calls[1].fault = RuntimeError("gRPC takes none")
    batcher.take(calls)
    assert isinstance(calls[1].wait().error, RuntimeError)
    assert labels(calls[0].wait()) == labels(calls[2].wait()) == 1
    after = FakeCall(message())
    batcher.take([after])
    assert labels(after.wait()) == 1


def test_one_answer_that_can_t_be_written_costs_the_others_none(small: Model) -> None:
    batcher = serve(named(small, "small", FAST))

    def unwritable(_answer: object, _identifier: bytes) -> bytes:
        raise UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed")

    def read(message: bytes, patient: bool) -> tuple[Request, memoryview, bytes]:
        request, pixels, identifier = classifier.read_request(message, patient)
        return replace(request, write=unwritable, write_each=None), pixels, identifier

    calls = [FakeCall(message()), FakeCall(message(), read=read), FakeCall(message())]
    batcher.take(calls)
    assert isinstance(calls[1].wait().error, UnicodeEncodeError)
    assert labels(calls[0].wait()) == labels(calls[2].wait()) == 1


def test_an_error_in_a_shadow_costs_no_answer(
    small: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = serve(named(small, "small", FAST))
    batcher._served.models = replace(batcher._served.require(), are_shadowed=True)
    break_at(batcher, "_shadow")(monkeypatch, RuntimeError("no thread"))
    for _ in range(2):
        call = FakeCall(message())
        batcher.take([call])
        assert labels(call.wait()) == 1


def test_answered_alone_a_call_has_an_error_too(
    small: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = serve(named(small, "small", FAST))
    for place in FAILING:
        with pytest.MonkeyPatch.context() as patch:
            FAILING[place](patch, MemoryError())
            call = FakeCall(PredictRequest(pixels=[0.5] * 4, label="a").SerializeToString())
            batcher.answer_alone(call)
            assert call.error is not None, place
    call = FakeCall(message())
    batcher.answer_alone(call)
    assert labels(call) == 1


@pytest.fixture
def busy(small: Model) -> Iterator[tuple[Batcher, list[Gate], list[Model]]]:
    """One slow model more than there are runners, each of which runs when its gate opens."""
    gates = [Gate(small.session) for _ in range(RUNNERS + 1)]
    models = [named(small, f"slow{n}", SLOW, gate) for n, gate in enumerate(gates)]
    yield serve(*models, images=20), gates, models
    for gate in gates:
        gate.open.release(1000)


def test_slow_models_have_turns(busy: tuple[Batcher, list[Gate], list[Model]]) -> None:
    batcher, gates, models = busy
    # The first ones have calls for many runs, and take all runners.
    for model in models[:RUNNERS]:
        batcher.take([FakeCall(message(model.name, images=8)) for _ in range(2)])
    for gate in gates[:RUNNERS]:
        assert gate.began.acquire(timeout=PATIENCE_SECONDS)
    last = FakeCall(message(models[-1].name))
    batcher.take([last])
    assert not gates[-1].began.acquire(blocking=False)
    # One run ends, and it is the last one's turn, not that of the same model again.
    gates[0].open.release()
    assert gates[-1].began.acquire(timeout=PATIENCE_SECONDS)
    gates[-1].open.release()
    assert labels(last.wait()) == 1
    assert gates[0].began.acquire(timeout=PATIENCE_SECONDS)


def test_a_full_queue_refuses_nobody_elses_calls(
    busy: tuple[Batcher, list[Gate], list[Model]],
) -> None:
    batcher, gates, models = busy
    flood = [FakeCall(message(models[0].name, images=4)) for _ in range(20)]
    batcher.take(flood[:1])
    assert gates[0].began.acquire(timeout=PATIENCE_SECONDS)
    batcher.take(flood[1:])
    refused = [call for call in flood if call.ended]
    assert len(refused) == 20 - 1 - 5
    assert all(isinstance(call.error, Overloaded) for call in refused)
    assert batcher.refusal() is None, "calls of others can still be taken"
    other = FakeCall(message(models[1].name))
    batcher.take([other])
    gates[1].open.release()
    assert labels(other.wait()) == 1
    gates[0].open.release(10)
    waiting = [call for call in flood if call not in refused]
    assert [labels(call.wait()) for call in waiting] == [4] * 6


def test_calls_are_turned_away_unread_once_every_queue_is_full(small: Model) -> None:
    gate = Gate(small.session)
    batcher = serve(named(small, "slow", SLOW, gate), images=4)
    calls = [FakeCall(message(images=4)) for _ in range(2)]
    for call in calls:
        batcher.take([call])
        gate.began.acquire(timeout=0 if call is calls[1] else PATIENCE_SECONDS)
    assert isinstance(batcher.refusal(), Overloaded)
    gate.open.release(2)
    assert [labels(call.wait()) for call in calls] == [4, 4]
    assert batcher.refusal() is None


def test_what_waits_keeps_its_pixels_and_nothing_else(small: Model) -> None:
    gate = Gate(small.session)
    batcher = serve(named(small, "slow", SLOW, gate))
    batcher.take([first := FakeCall(message())])
    assert gate.began.acquire(timeout=PATIENCE_SECONDS)
    # A field that nobody knows, of 900,000 bytes.
    unknown = b"\xfa\x7f" + bytes([0xA0, 0xF7, 0x36]) + bytes(900_000)
    waiting = FakeCall(message(spare=unknown))
    batcher.take([waiting])
    assert not waiting.ended
    assert len(waiting.message) + len(waiting.pixels) < 1000
    assert batcher._queues.bytes < 10_000
    gate.open.release(2)
    assert labels(first.wait()) == labels(waiting.wait()) == 1


def test_a_message_that_takes_long_to_read_is_read_elsewhere(small: Model) -> None:
    batcher = serve(named(small, "small", FAST))
    reading, go_on = threading.Event(), threading.Event()

    def read(message: bytes, patient: bool) -> tuple[Request, memoryview, bytes]:
        if not patient:
            raise TakesLong
        reading.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return classifier.read_request(message, patient)

    slow, quick = FakeCall(message(), read=read), FakeCall(message())
    batcher.take([slow, quick])
    assert labels(quick.wait()) == 1
    assert reading.wait(PATIENCE_SECONDS)
    assert batcher._queues.bytes == len(slow.message)
    go_on.set()
    assert labels(slow.wait()) == 1
    assert batcher._queues.bytes == 0


def test_an_error_while_it_is_read_elsewhere_ends_that_call(small: Model) -> None:
    batcher = serve(named(small, "small", FAST))

    def read(_message: bytes, patient: bool) -> tuple[Request, memoryview, bytes]:
        raise RecursionError if patient else TakesLong

    calls = [FakeCall(message(), read=read) for _ in range(5)]
    batcher.take(calls)
    assert all(isinstance(call.wait().error, RecursionError) for call in calls)
    wait_for(lambda: batcher._queues.bytes == 0 and batcher.is_alive)


def test_answers_that_would_be_too_large_never_run(small: Model) -> None:
    gate = Gate(small.session)
    batcher = serve(named(small, "small", FAST, gate))
    gate.open.release(10)

    def read(message: bytes, patient: bool) -> tuple[Request, memoryview, bytes]:
        request, pixels, identifier = classifier.read_request(message, patient)
        return (
            replace(request, measure=lambda _model, images: (1 << 20) * images + 1),
            pixels,
            identifier,
        )

    call = FakeCall(message(images=3), read=read)
    batcher.take([call])
    assert isinstance(call.wait().error, TooLarge)
    assert "answer" in str(call.error)
    assert not gate.began.acquire(blocking=False)


def test_deadlines_go_by_a_clock_that_nobody_sets(
    small: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = serve(named(small, "small", FAST))
    monkeypatch.setattr(time, "time", lambda: -1e9)
    late = FakeCall(message(), deadline=time.perf_counter() - 1)
    soon = FakeCall(message(), deadline=time.perf_counter() + 1000)
    batcher.take([late, soon])
    assert isinstance(late.wait().error, Expired)
    assert labels(soon.wait()) == 1


def test_hidden_runs_of_errors_are_independent(small: Model) -> None:
    """A pixel out of range is its call's fault alone, in a run with others."""
    batcher = serve(named(small, "small", FAST))
    bad = PredictRequest(pixels=[0.5, 0.5, 0.5, float(np.nan)]).SerializeToString()
    calls = [FakeCall(message()), FakeCall(bad), FakeCall(message())]
    batcher.take(calls)
    assert calls[1].wait().error is not None
    assert labels(calls[0].wait()) == labels(calls[2].wait()) == 1


@dataclass(eq=False)
class Leaving(FakeCall):
    """A call whose caller leaves just after it was found to be there."""

    looks: int = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "cancelled":
            self.looks += 1
            return self.looks > 1
        return super().__getattribute__(name)


def test_callers_that_leave_while_others_are_dropped_hurt_nobody(small: Model) -> None:
    batcher = serve(named(small, "small", FAST))
    calls = [FakeCall(message(), cancelled=True), Leaving(message()), FakeCall(message())]
    batcher.take(calls)
    assert isinstance(calls[0].wait().error, Cancelled)
    assert [labels(call.wait()) for call in calls[1:]] == [1, 1]
