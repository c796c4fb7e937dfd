"""Streams of both clients against a server on a socket: answers, errors, and how each ends."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

import mlpserve
from mlpserve import Violation
from mlpserve.streams.flight import MAX_ITEMS_AHEAD
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import N_CLASSES, Serving, classify, classify_each, start_serving
from tests.mlpserve.streams.asking import KINDS, ask

IMAGES = np.random.default_rng(5).random((300, 784), dtype=np.float32)
LABELS = IMAGES[:, :N_CLASSES].argmax(axis=1).tolist()

Requests = Iterator[classifier_pb2.PredictRequest]
Responses = Iterator[Any]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which client asks."""
    return str(request.param)


def respond(request: classifier_pb2.PredictRequest) -> classifier_pb2.PredictStreamResponse:
    return classifier_pb2.PredictStreamResponse(response=classify(request))


def refuse(code: grpc.StatusCode, message: str, *details: Any) -> Any:
    """A response that is an error."""
    status = status_pb2.Status(code=int(code.value[0]), message=message)
    for detail in details:
        status.details.add().Pack(detail)
    packed = any_pb2.Any()
    packed.Pack(status)
    return classifier_pb2.PredictStreamResponse(error=packed)


def test_each_item_is_answered_in_order(kind: str, serving: Serving) -> None:
    asked = ask(kind, serving.address, iter(IMAGES))
    assert asked.error is None
    assert asked.outcomes() == [[label] for label in LABELS]
    activations = [answer.prediction.activations[0, 0] for answer in asked.answers]
    assert activations == IMAGES[:, 0].tolist()


def test_items_are_whatever_predict_takes(kind: str, serving: Serving) -> None:
    items = [
        IMAGES[0].reshape(28, 28),
        IMAGES[:3].astype(np.float64),
        (255 * IMAGES[:2]).astype(np.uint8),
        IMAGES[5].tolist(),
    ]
    asked = ask(kind, serving.address, items, model="other", version=8, hidden_activations=True)
    predictions = [answer.prediction for answer in asked.answers]
    assert [len(prediction) for prediction in predictions] == [1, 3, 2, 1]
    assert {(prediction.model, prediction.version) for prediction in predictions} == {("other", 8)}
    assert [len(prediction.hidden_layers) for prediction in predictions] == [1] * 4


def test_no_items(kind: str, serving: Serving) -> None:
    asked = ask(kind, serving.address, [])
    assert (asked.answers, asked.error) == ([], None)


def test_what_cannot_be_sent_fails_alone(kind: str) -> None:
    items = [
        IMAGES[0],
        "seven",
        np.zeros(784, np.int64),
        IMAGES[1],
        np.zeros((0, 784)),
        np.zeros((2, 14, 28, 2)),
        IMAGES,
        IMAGES[2],
        None,
    ]
    with start_serving() as serving:
        options = {"options": {"grpc.max_send_message_length": 500_000}}
        asked = ask(kind, serving.address, items, options=options)
        assert len(serving.requests) == 3
    assert asked.error is None
    assert asked.outcomes() == [
        [LABELS[0]],
        TypeError,
        TypeError,
        [LABELS[1]],
        ValueError,
        ValueError,
        mlpserve.TooLarge,
        [LABELS[2]],
        TypeError,
    ]
    with pytest.raises(mlpserve.TooLarge, match="this client sends at most 500000; send fewer"):
        _ = asked.answers[6].prediction


def test_what_the_server_refuses_fails_alone(kind: str) -> None:
    bad = error_details_pb2.BadRequest.FieldViolation(
        field="pixels", description="image 0 is nan", reason="NOT_FINITE"
    )
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    too_large = error_details_pb2.ErrorInfo(reason="ANSWER_BYTES")
    errors = [
        refuse(
            grpc.StatusCode.INVALID_ARGUMENT,
            "image 0 is nan",
            error_details_pb2.BadRequest(field_violations=[bad]),
        ),
        refuse(grpc.StatusCode.NOT_FOUND, "no such model"),
        refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full", retry),
        refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "large", too_large),
        refuse(grpc.StatusCode.UNAVAILABLE, "not ready"),
        refuse(grpc.StatusCode.DEADLINE_EXCEEDED, "late"),
        refuse(grpc.StatusCode.UNAUTHENTICATED, "who?"),
        refuse(grpc.StatusCode.INTERNAL, "oh"),
        classifier_pb2.PredictStreamResponse(),
        b"\xff",
        b"\x0a\x02\xff\xff",
        b"\x12\x03\x12\x01\xff",
    ]

    def stream(requests: Requests, _: grpc.ServicerContext) -> Responses:
        for number, request in enumerate(requests):
            yield errors[number // 2] if number % 2 else respond(request)

    with start_serving(stream=stream) as serving:
        asked = ask(kind, serving.address, IMAGES[: 2 * len(errors)])
    assert asked.error is None
    assert asked.outcomes()[::2] == [[label] for label in LABELS[: 2 * len(errors) : 2]]
    assert asked.outcomes()[1::2] == [
        mlpserve.InvalidRequest,
        mlpserve.ModelNotFound,
        mlpserve.Overloaded,
        mlpserve.TooLarge,
        mlpserve.Unavailable,
        mlpserve.DeadlineExceeded,
        mlpserve.Unauthenticated,
        mlpserve.MlpserveError,
        *[mlpserve.InvalidResponse] * 4,
    ]
    invalid, _, overloaded, *_ = [answer.error for answer in asked.answers[1::2]]
    assert isinstance(invalid, mlpserve.InvalidRequest)
    assert invalid.violations == (Violation("pixels", "image 0 is nan", "NOT_FINITE"),)
    assert isinstance(overloaded, mlpserve.Overloaded)
    assert overloaded.retry_after_seconds == 1.5


def test_an_answer_for_another_number_of_images_fails_alone(kind: str, serving: Serving) -> None:
    asked = ask(kind, serving.address, [IMAGES[0], IMAGES[:4].ravel(), IMAGES[1]])
    assert asked.outcomes() == [[LABELS[0]], mlpserve.InvalidRequest, [LABELS[1]]]


@pytest.mark.parametrize(
    ("images", "n_ahead"),
    [(IMAGES[:1], MAX_ITEMS_AHEAD), (np.zeros((400, 784), np.float32), 4)],
)
def test_items_wait_until_there_is_room(kind: str, images: Any, n_ahead: int) -> None:
    """As many are sent as may be, and no more are asked for before the first answer is read."""
    n_asked_for, n_read = itertools.count(1), itertools.count(1)
    ahead: list[int] = []
    last_read = 0

    def stream(requests: Requests, _: grpc.ServicerContext) -> Responses:
        # They arrive before any is answered.
        yield from map(respond, [next(requests) for _ in range(n_ahead)])
        yield from map(respond, requests)

    def items() -> Iterator[Any]:
        for _ in range(3 * n_ahead):
            ahead.append(next(n_asked_for) - last_read)
            yield images

    def read() -> None:
        nonlocal last_read
        last_read = next(n_read)

    with start_serving(stream=stream) as serving:
        asked = ask(kind, serving.address, items(), read=read)
    assert asked.error is None
    assert len(asked.answers) == 3 * n_ahead
    # There is room for another a moment before its answer is counted here.
    assert n_ahead <= max(ahead) <= n_ahead + 1


def test_an_iterable_that_raises_is_answered_up_to_there(kind: str, serving: Serving) -> None:
    def items() -> Iterator[Any]:
        yield from IMAGES[:3]
        raise OSError("the disk is gone")

    asked = ask(kind, serving.address, items())
    assert asked.outcomes() == [[label] for label in LABELS[:3]]
    assert isinstance(asked.error, OSError)
    assert str(asked.error) == "the disk is gone"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, mlpserve.Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, mlpserve.Overloaded),
        (grpc.StatusCode.UNAUTHENTICATED, mlpserve.Unauthenticated),
        (grpc.StatusCode.CANCELLED, mlpserve.MlpserveError),
    ],
)
@pytest.mark.parametrize("n_answers", [0, 3])
def test_a_call_that_fails_ends_the_stream(
    kind: str, code: grpc.StatusCode, error: type[Exception], n_answers: int
) -> None:
    calls = []

    def stream(requests: Requests, context: grpc.ServicerContext) -> Responses:
        calls.append(context)
        for _ in range(n_answers):
            yield respond(next(requests))
        status = status_pb2.Status(code=int(code.value[0]), message="so it is")
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            status.details.add().Pack(error_details_pb2.RetryInfo())
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, "so it is")

    with start_serving(stream=stream) as serving:
        asked = ask(kind, serving.address, iter(IMAGES))
    assert type(asked.error) is error
    assert f"the stream ended after {n_answers} answers" in str(asked.error)
    assert "so it is" in str(asked.error)
    assert asked.outcomes() == [[label] for label in LABELS[:n_answers]]
    # What was answered is not sent again.
    assert n_answers == 0 or len(calls) == 1


def test_a_failed_call_ends_the_stream_while_the_iterable_waits(kind: str) -> None:
    """No item is on its way then."""
    release = threading.Event()

    def stream(requests: Requests, context: grpc.ServicerContext) -> Responses:
        yield respond(next(requests))
        context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    def items() -> Iterator[Any]:
        yield IMAGES[0]
        release.wait()
        yield IMAGES[1]

    async def items_of_task() -> Any:
        yield IMAGES[0]
        await asyncio.Event().wait()

    with start_serving(stream=stream) as serving:
        asked = ask(kind, serving.address, items() if kind == "threads" else items_of_task())
    release.set()
    assert isinstance(asked.error, mlpserve.Unavailable)
    assert len(asked.answers) == 1


@pytest.mark.parametrize("n_answers", [0, 2])
def test_a_server_that_ends_the_stream_early(kind: str, n_answers: int) -> None:
    def stream(requests: Requests, context: grpc.ServicerContext) -> Responses:
        for _ in range(n_answers):
            yield respond(next(requests))

    with start_serving(stream=stream) as serving:
        asked = ask(kind, serving.address, iter(IMAGES))
    assert isinstance(asked.error, mlpserve.InvalidResponse)
    assert len(asked.answers) == n_answers


def test_an_answer_that_does_not_come(kind: str) -> None:
    release = threading.Event()

    def stream(requests: Requests, _: grpc.ServicerContext) -> Responses:
        yield respond(next(requests))
        release.wait()

    with start_serving(stream=stream) as serving:
        asked = ask(kind, serving.address, iter(IMAGES), timeout_seconds=1.0)
        release.set()
    assert isinstance(asked.error, mlpserve.DeadlineExceeded)
    assert "ended after 1 answers" in str(asked.error)
    assert "did not answer within 1 s" in str(asked.error)


def test_the_token_goes_along(kind: str) -> None:
    seen: list[Any] = []

    def stream(requests: Requests, context: grpc.ServicerContext) -> Responses:
        seen.extend(context.invocation_metadata())
        return classify_each(requests, context)

    with start_serving(stream=stream) as serving:
        ask(kind, serving.address, IMAGES[:1], options={"token": "secret"})
    assert ("authorization", "Bearer secret") in [tuple(pair) for pair in seen]


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_such_time(kind: str, serving: Serving, seconds: float) -> None:
    asked = ask(kind, serving.address, IMAGES[:1], timeout_seconds=seconds)
    assert isinstance(asked.error, ValueError)
    assert not serving.requests


def test_dark_items_are_doubted(kind: str, serving: Serving) -> None:
    dark = (np.indices((2, 784)).sum(axis=0) % 4 == 0).astype(np.uint8)
    with pytest.warns(mlpserve.ScaleWarning, match="uint8 of 0 and 1") as warned:
        asked = ask(kind, serving.address, [IMAGES[0], dark])
    assert len(asked.answers) == 2
    assert [warning.filename.rpartition("/")[2] for warning in warned] == ["asking.py"]
