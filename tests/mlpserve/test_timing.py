"""Where a call's time went: what is read of a server's words, and who gets it."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server_process import ServerProcess
from harness.waiting import PATIENCE_SECONDS
from mlpserve import Client, Timing
from mlpserve.joining.queues import MAX_FLIGHTS
from mlpserve.timing import read_timing
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.joining.held import callers, enqueue, holding, image, numbers, occupy
from tests.mlpserve.serving import Serving, classify, classify_each, start_serving
from tests.mlpserve.streams.asking import KINDS, ask

IMAGE = np.zeros(784, np.uint8)


def told(*texts: object) -> list[tuple[str, object]]:
    return [("server-timing", text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "timing"),
    [
        (
            ("queue;dur=500, run;dur=250, encode;dur=2, total;dur=1000.5",),
            (1.0005, 0, 0.5, 0.25, 0.002),
        ),
        (("decode;dur=1000,total;dur=2000",), (2, 1)),
        # As a server may write it that knows more, or goes through others that do.
        (('miss, db;dur=53;desc="a, b; total;dur=9", total ; DUR = 7000 ;desc=x',), (7,)),
        (('cache;desc="\\"Miss\\", total;dur=1"', 'total;dur="2000"'), (2,)),
        (("total;desc=x;dur=1000;dur=2000, total;dur=3000",), (1,)),
        # Not durations.
        (("total;dur=1000, queue;dur=-1, run;dur=nan, encode;dur=1e3, decode;dur=x",), (1,)),
        (("total;dur=1000, queue;dur=" + "9" * 400 + ", run;dur, encode, ;dur=1, ,;;,=",), (1,)),
        (("queue;dur=1",), None),
        (("total;dur=inf",), None),
        (("total;dur=\u0661",), None),
        (("total;dur=1_0",), None),
        (("",), None),
        ((b"total;dur=1",), None),
        ((None,), None),
    ],
)
def test_what_a_server_tells_is_read(
    texts: tuple[object, ...], timing: tuple[float, ...] | None
) -> None:
    assert read_timing(told(*texts)) == (timing and Timing(*timing))


def test_nothing_told_is_nothing_read() -> None:
    assert read_timing(None) is read_timing(()) is read_timing([("other", "total;dur=1")]) is None


@given(st.text(st.sampled_from('total;dur=1., \\"\n-e') | st.characters(), max_size=60))
def test_whatever_is_told_nothing_is_raised(text: str) -> None:
    read_timing(told(text, f"total;dur=1, {text}"))


@dataclass(slots=True)
class Clock:
    """Answers, and tells whoever asks how long a call took: as many seconds as there were calls
    that asked.
    """

    asked: list[bool] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def tell(self, context: grpc.ServicerContext) -> int:
        metadata: Any = context.invocation_metadata()
        is_asked = ("x-server-timing", "1") in [tuple(pair) for pair in metadata]
        self.asked.append(is_asked)
        number = next(self.numbers) if is_asked else 0
        if is_asked:
            text = f"queue;dur={1000 * number}, total;dur={2000 * number}"
            context.set_trailing_metadata((("server-timing", text),))
        return number

    def answer(self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        self.tell(context)
        return classify(request)

    def stream(
        self, requests: Iterator[classifier_pb2.PredictRequest], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        self.tell(context)
        yield from classify_each(requests, context)


def seconds(number: int) -> Timing:
    """What the clock tells of its call of this number."""
    return Timing(2.0 * number, queue_seconds=1.0 * number)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timing(clock: Clock) -> Iterator[Serving]:
    with start_serving(clock.answer, stream=clock.stream) as serving:
        yield serving


def test_a_prediction_has_the_timing_of_its_call(
    timing: Serving, clock: Clock, connect: type[Client]
) -> None:
    with connect(timing.address, token="secret") as client:
        assert client.predict(IMAGE).timing is None
        assert client.predict(IMAGE, timing=True, request_id="a").timing == seconds(1)
        assert client.predict(IMAGE, timing=True).timing == seconds(2)
        assert client.predict(IMAGE).timing is None
    assert clock.asked == [False, True, True, False]


def test_a_server_that_tells_nothing_is_asked_in_vain(serving: Serving, client: Client) -> None:
    assert client.predict(IMAGE, timing=True).timing is None
    large = np.zeros((10_000, 784), np.uint8)
    assert client.predict(large, timing=True).timing is None
    assert len(serving.requests) > 2


def test_parts_have_the_sums_of_all(timing: Serving, clock: Clock, connect: type[Client]) -> None:
    large = np.zeros((10_000, 784), np.uint8)
    with connect(timing.address) as client:
        found = client.predict(large, timing=True).timing
        parts = len(clock.asked)
        assert parts > 1
        assert found == seconds(sum(range(1, parts + 1)))
        assert client.predict(large).timing is None
    assert clock.asked == [True] * parts + [False] * parts


def test_each_of_the_yielded_parts_has_its_own(timing: Serving) -> None:
    large = np.zeros((3_000, 784), np.uint8)
    with Client(timing.address) as client:
        found = [part.timing for part in client.predict_parts(large, timing=True)]
    assert len(found) > 1
    assert set(found) == {seconds(number + 1) for number in range(len(found))}


def test_a_hedged_call_has_the_timing_of_the_attempt_that_answers(connect: type[Client]) -> None:
    clock, over = Clock(), threading.Event()

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if clock.tell(context) == 1:
            context.add_callback(over.set)
            assert over.wait(PATIENCE_SECONDS)
        return classify(request)

    options: dict[str, Any] = {"hedge_after_seconds": 0.02, "timeout_seconds": PATIENCE_SECONDS}
    with start_serving(answer) as serving, connect(serving.address, **options) as client:
        assert client.predict(IMAGE, timing=True).timing == seconds(2)
        assert client.predict(IMAGE).timing is None


@pytest.mark.parametrize("kind", KINDS)
def test_joined_calls_all_have_the_timing_of_their_request(kind: str) -> None:
    clock = Clock()
    with holding(clock.answer) as held, callers(kind, held.address) as caller:
        first = occupy(held, caller, timing=True)
        calls = enqueue(caller, [image(number) for number in range(6)], lambda _: {"timing": True})
        # They wait for none of the others, since they ask for something else.
        others = occupy(held, caller)
        held.open(after=3 * MAX_FLIGHTS)
        assert numbers(calls) == list(range(6))
        assert [call.result(PATIENCE_SECONDS).timing for call in others] == [None, None]
        timings = Counter(call.result(PATIENCE_SECONDS).timing for call in (*first, *calls))
    assert set(timings) == set(map(seconds, range(1, 5)))
    assert sorted(timings.values()) == [1, 1, 3, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_has_a_timing_once_it_has_ended(timing: Serving, clock: Clock, kind: str) -> None:
    items = [IMAGE, "no image", IMAGE]
    found = ask(kind, timing.address, items, timing=True)
    assert found.error is None
    assert [answer.timing for answer in found.answers] == [seconds(1)] * 3
    assert ask(kind, timing.address, items).answers[0].timing is None
    assert clock.asked == [True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_the_server_does_not_end_has_none(kind: str) -> None:
    over = threading.Event()

    def stay(
        requests: Iterator[classifier_pb2.PredictRequest], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        assert context.add_callback(over.set)
        yield from classify_each(requests, context)
        assert over.wait(PATIENCE_SECONDS)

    with start_serving(stream=stay) as serving:
        found = ask(kind, serving.address, [IMAGE], timing=True, timeout_seconds=1)
    assert found.outcomes() == [[0]]
    assert (found.error, found.answers[0].timing) == (None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_tells(server: ServerProcess, connect: type[Client], kind: str) -> None:
    with connect(server.grpc_address) as client:
        found = client.predict(IMAGE, timing=True).timing
    assert found is not None
    assert 0 < found.run_seconds < found.total_seconds
    answers = ask(kind, server.grpc_address, [IMAGE] * 3, timing=True).answers
    assert answers[0].timing is not None
    assert answers[0].timing.run_seconds > 0
