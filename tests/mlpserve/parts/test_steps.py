"""What is sent when: driven by hand, answer for answer."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mlpserve import (
    DeadlineExceeded,
    InvalidRequest,
    MlpserveError,
    Overloaded,
    Prediction,
    ScaleWarning,
    Unavailable,
    Violation,
)
from mlpserve.errors import TooLarge
from mlpserve.parts.cutting import Cutter, Limits
from mlpserve.parts.steps import END, Asked, Pause, Pull, Seconds, Wait, predict_steps
from mlpserve.v1 import classifier_pb2

P = 9
PART = 4
"""Images of a part."""

BATCH_SIZE = InvalidRequest("too many", (Violation("pixels", "too many", "BATCH_SIZE"),))
PIXEL_COUNT = InvalidRequest("no multiple", (Violation("pixels", "no multiple", "PIXEL_COUNT"),))


@dataclass(eq=False)
class Sent:
    """A call in flight."""

    request: classifier_pb2.PredictRequest
    timeout: float
    is_done: bool = False
    is_cancelled: bool = False

    def done(self) -> bool:
        return self.is_done

    def cancel(self) -> bool:
        self.is_cancelled = True
        return True

    @property
    def n_images(self) -> int:
        return len(self.request.pixels) // P


@dataclass
class Run:
    """Does what the steps say, and has a test answer the calls."""

    items: Iterable[Any]
    answer: Callable[[Sent], Prediction | MlpserveError]
    seconds: float = 10.0
    is_whole: bool = False
    max_ahead: int = 3
    sent: list[Sent] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    most: int = 0
    pulled: int = 0
    now: float = 0.0

    def __iter__(self) -> Iterator[Prediction]:
        def send(request: bytes, timeout: float) -> Sent:
            self.sent.append(Sent(classifier_pb2.PredictRequest.FromString(request), timeout))
            return self.sent[-1]

        limits = Limits(part_images=PART, parts_ahead=self.max_ahead)
        seconds = Seconds(self.seconds, lambda: self.now, self.seconds if self.is_whole else None)
        steps = predict_steps(Cutter(limits=limits), Asked(), send, seconds, limits)
        items, reply, n_answered = iter(self.items), None, 0
        try:
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration:
                    return
                reply = None
                match step:
                    case Pull():
                        self.pulled += 1
                        reply = next(items, END)
                    case Wait():
                        self.most = max(self.most, len(self.sent) - n_answered)
                        reply = self.answer(step.call)
                        n_answered += 1
                        step.call.is_done = True
                    case Pause():
                        self.pauses.append(step.seconds)
                        self.now += step.seconds
                    case Prediction():
                        yield step
        finally:
            steps.close()


def classify(call: Sent) -> Prediction:
    """Answer with the images' first pixels."""
    n = call.n_images
    firsts = np.array(call.request.pixels, np.float32).reshape(-1, P)[:, :1]
    return Prediction(np.zeros(n, np.int64), firsts, ("a",), "found", 7)


def images(n_images: int) -> Any:
    return np.repeat(np.arange(n_images, dtype=np.float32), P).reshape(-1, P)


def firsts(predictions: Iterable[Prediction]) -> list[float]:
    return [float(n) for prediction in predictions for n in prediction.activations[:, 0]]


@pytest.mark.parametrize("n_images", [1, 4, 5, 8, 9, 30])
@pytest.mark.parametrize("are_alone", [False, True])
def test_all_are_answered_in_order(n_images: int, are_alone: bool) -> None:
    run = Run(images(n_images) if are_alone else [images(n_images)], classify)
    assert firsts(run) == list(range(n_images))
    assert [call.n_images for call in run.sent] == [
        min(PART, n_images - begin) for begin in range(0, n_images, PART)
    ]


def test_the_first_part_goes_alone_and_the_rest_to_the_version_that_answered_it() -> None:
    run = Run([images(30)], classify)
    assert len(list(run)) == 8
    first, *others = [(call.request.model, call.request.version) for call in run.sent]
    assert first == ("", 0)
    assert others == [("found", 7)] * 7
    run = Run([images(30)], classify)
    next(iter(run))
    assert len(run.sent) == 1


def test_no_more_are_in_flight_than_allowed_and_no_more_images_are_asked_for() -> None:
    run = Run(images(100), classify)
    for n_answered, _ in enumerate(iter(run), 1):
        # The caller has those that were answered; of the rest so many have been asked for.
        assert run.pulled <= PART * (n_answered + run.max_ahead)
    assert run.most == run.max_ahead


def test_answers_that_are_there_are_handed_out_before_more_is_sent() -> None:
    run = Run([images(30)], classify)
    predictions = iter(run)
    next(predictions)
    next(predictions)
    assert len(run.sent) == 4
    run.sent[2].is_done = True
    next(predictions)
    assert len(run.sent) == 4


@pytest.mark.parametrize("failing", range(4))
@pytest.mark.parametrize(
    "error",
    [
        Unavailable("gone"),
        DeadlineExceeded("late"),
        InvalidRequest("bad", (Violation("pixels", "bad", "PIXEL_RANGE"),)),
        MlpserveError("odd"),
        PIXEL_COUNT,
    ],
)
def test_an_error_names_the_images_and_ends_what_is_in_flight(
    failing: int, error: MlpserveError
) -> None:
    run = Run([images(40).reshape(40, 3, 3)], classify)
    run.answer = lambda call: error if run.sent.index(call) == failing else classify(call)
    answered: list[Prediction] = []
    begin = failing * PART
    with pytest.raises(type(error), match=f"^images {begin} to {begin + 3}.*: {error}$") as raised:
        answered.extend(iter(run))
    assert firsts(answered) == list(range(begin))
    if isinstance(error, InvalidRequest):
        assert isinstance(raised.value, InvalidRequest)
        assert raised.value.violations == error.violations
    cancelled = [call.is_cancelled for call in run.sent]
    assert cancelled == [False] * (failing + 1) + [True] * (len(run.sent) - failing - 1)
    assert len(run.sent) <= failing + run.max_ahead


def test_a_caller_who_stops_ends_what_is_in_flight() -> None:
    run = Run([images(40)], classify)
    predictions = iter(run)
    next(predictions)
    next(predictions)
    predictions.close()  # type: ignore[attr-defined]
    assert [call.is_cancelled for call in run.sent] == [False, False, True, True]


def test_an_iterable_that_raises_ends_what_is_in_flight() -> None:
    def items() -> Iterator[Any]:
        yield from images(10)
        raise OSError("the disk is gone")

    run = Run(items(), classify)
    with pytest.raises(OSError, match="the disk is gone"):
        list(run)
    assert [call.is_cancelled for call in run.sent] == [False, True]


@pytest.mark.parametrize("items", [[], [np.zeros((0, P))]])
def test_no_images(items: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"empty.*; send one or more"):
        list(Run(items, classify))


@pytest.mark.parametrize("error", [TooLarge("large"), BATCH_SIZE])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_parts_shrink_to_what_the_server_takes(error: MlpserveError, limit: int) -> None:
    run = Run([images(13)], lambda call: error if call.n_images > limit else classify(call))
    assert firsts(run) == list(range(13))
    size = {1: 1, 2: 2, 3: 2}[limit]
    assert {call.n_images for call in run.sent[3:-1]} <= {size}


def test_one_image_that_is_too_large_is_an_error() -> None:
    run = Run([images(13)], lambda _: TooLarge("large"))
    with pytest.raises(TooLarge, match="images 0 to 0: large"):
        list(run)
    assert [call.n_images for call in run.sent] == [4, 2, 1]


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_large_table_may_be_one_image(is_refused: bool) -> None:
    """The server refuses rows of it, or takes several for an image."""

    def answer(call: Sent) -> Prediction | MlpserveError:
        if call.n_images % (2 if not is_refused else 10):
            return PIXEL_COUNT
        n = call.n_images // (2 if not is_refused else 10)
        return Prediction(np.zeros(n, np.int64), np.zeros((n, 1), np.float32), ("a",), "m", 1)

    run = Run([images(10)], answer)
    if is_refused:
        assert [len(prediction) for prediction in run] == [1]
        assert [call.n_images for call in run.sent] == [4, 10]
    else:
        with pytest.raises(InvalidRequest, match=r"shape \(10, 9\), and the model's .* 18 pixels"):
            list(run)


def test_overload_is_waited_for() -> None:
    run = Run([images(30)], classify)
    refused = iter([Overloaded("full", 1.0), Overloaded("full"), Overloaded("full")])
    run.answer = lambda call: (
        next(refused, None) or classify(call)
        if run.now < 5 and len(run.sent) > 2
        else classify(call)
    )
    assert firsts(run) == list(range(30))
    first, second, third = run.pauses
    assert 1.05 <= first <= 1.075
    assert 0.1 <= second <= 0.15
    assert 0.2 <= third <= 0.3


@pytest.mark.parametrize("is_whole", [True, False])
def test_overload_that_lasts_is_an_error(is_whole: bool) -> None:
    run = Run([images(30)], lambda _: Overloaded("full", 0.5), seconds=5.0, is_whole=is_whole)
    with pytest.raises(Overloaded, match="images 0 to 3: full") as raised:
        list(run)
    assert raised.value.retry_after_seconds == 0.5
    assert 3.0 < run.now < 5.0
    assert run.sent[-1].timeout == pytest.approx(5.0 - run.now)


def test_time_for_all_and_for_each() -> None:
    def slow(call: Sent) -> Prediction:
        run.now += 1.0
        return classify(call)

    run = Run([images(16)], slow, seconds=10.0)
    list(run)
    assert [call.timeout for call in run.sent] == [10.0] * 4
    run = Run([images(16)], slow, seconds=10.0, is_whole=True)
    list(run)
    assert [call.timeout for call in run.sent] == [10.0, 9.0, 9.0, 9.0]
    run = Run([images(160)], slow, seconds=10.0, is_whole=True)
    with pytest.raises(DeadlineExceeded, match=r"images 48 to 51.*: the timeout passed"):
        list(run)


def test_dark_images_are_doubted_once_where_the_caller_is() -> None:
    dark = (np.indices((8, 784)).sum(axis=0) % 4 == 0).astype(np.uint8)

    def answer(call: Sent) -> Prediction:
        n = len(call.request.pixels_u8) // 784
        return Prediction(np.zeros(n, np.int64), np.zeros((n, 1), np.float32), ("a",), "m", 1)

    with pytest.warns(ScaleWarning, match="uint8 of 0 and 1") as warned:
        list(Run([dark], answer))
    assert [warning.filename for warning in warned] == [__file__]
