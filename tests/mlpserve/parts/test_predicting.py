"""Both clients have more images classified than go in one call, by a server on a socket."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from google.rpc import error_details_pb2, status_pb2

import mlpserve
from mlpserve import Client, Prediction, aio
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import N_CLASSES, Answer, Serving, classify, start_serving

N_IMAGES = 3_000
IMAGES = np.random.default_rng(9).random((N_IMAGES, 784), dtype=np.float32)
PART = 335
"""Images of a part of floats: one more than a MiB holds, rounded down."""

N_PARTS = 9
GUARD_SECONDS = 60.0


@pytest.fixture(params=["threads", "tasks"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which client asks."""
    return str(request.param)


def predict(kind: str, address: str, images: Any, **asked: Any) -> Prediction:
    if kind == "threads":
        with Client(address) as client:
            return client.predict(images, **asked)

    async def ask() -> Prediction:
        async with aio.Client(address) as client:
            return await client.predict(images, **asked)

    return asyncio.run(ask())


def check(prediction: Prediction, images: npt.NDArray[Any] = IMAGES) -> None:
    """Each image has its answer."""
    expected = images.reshape(len(images), -1).astype(np.float64)
    expected = expected / 255 if images.dtype == np.uint8 else expected
    np.testing.assert_allclose(prediction.activations, expected[:, :N_CLASSES], rtol=1e-6)
    np.testing.assert_array_equal(prediction.labels, prediction.activations.argmax(axis=1))
    assert (prediction.model, prediction.version) == ("pixels", 3)


LEVELS = (255 * np.concatenate([IMAGES, IMAGES])).astype(np.uint8)


@pytest.mark.parametrize(
    "images",
    [IMAGES, IMAGES.astype(np.float64), IMAGES.reshape(-1, 28, 28), IMAGES[::-1], LEVELS],
    ids=["float32", "float64", "square", "reversed", "uint8"],
)
def test_a_large_array_is_sent_in_parts(
    kind: str, serving: Serving, images: npt.NDArray[Any]
) -> None:
    check(predict(kind, serving.address, images), images)
    sizes = [request.ByteSize() for request in serving.requests]
    assert len(sizes) == (N_PARTS if images.dtype != np.uint8 else 5)
    assert max(sizes) < 1.01 * (1 << 20)


def test_hidden_layers_are_put_together(kind: str, serving: Serving) -> None:
    (hidden,) = predict(kind, serving.address, IMAGES, hidden_activations=True).hidden_layers
    np.testing.assert_array_equal(hidden, IMAGES[:, N_CLASSES : N_CLASSES + 3])


def test_a_file_is_sent_in_parts(kind: str, serving: Serving, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    check(predict(kind, serving.address, images))
    assert len(serving.requests) == N_PARTS


@pytest.mark.parametrize(
    ("items", "n_requests"),
    [
        (lambda: iter(IMAGES), N_PARTS),
        (lambda: (image.reshape(28, 28).astype(np.float64) for image in IMAGES), N_PARTS + 1),
        (lambda: np.array_split(IMAGES, 17).__iter__(), 17),
        (lambda: {"all": IMAGES}.values(), N_PARTS),
        (lambda: iter([IMAGES[:10], IMAGES[10], IMAGES[11:]]), N_PARTS + 1),
    ],
    ids=["images", "squares", "batches", "a view", "mixed"],
)
def test_an_iterable_is_sent_in_parts(
    kind: str, serving: Serving, items: Callable[[], Any], n_requests: int
) -> None:
    check(predict(kind, serving.address, items()))
    assert abs(len(serving.requests) - n_requests) <= 1


def test_an_asynchronous_iterable_is_sent_in_parts(serving: Serving) -> None:
    async def items() -> AsyncIterator[Any]:
        for image in IMAGES:
            yield image

    check(predict("tasks", serving.address, items()))
    assert len(serving.requests) == N_PARTS


@pytest.mark.parametrize("n_images", [1, 1000, 1337])
def test_what_fits_goes_in_one_call(kind: str, serving: Serving, n_images: int) -> None:
    predict(kind, serving.address, IMAGES[:n_images], label="stable")
    assert [request.label for request in serving.requests] == ["stable"]


def test_the_version_that_answers_the_first_part_answers_all(kind: str) -> None:
    """Though a newer one is loaded meanwhile."""
    newest = iter(range(3, 1000))

    def answer(request: classifier_pb2.PredictRequest, _: Any) -> Any:
        response = classify(request)
        if not request.version:
            response.version = next(newest)
        return response

    with start_serving(answer) as serving:
        assert predict(kind, serving.address, IMAGES, label="canary").version == 3
        first, *others = serving.requests
    assert (first.model, first.version, first.label) == ("", 0, "canary")
    assert {(request.model, request.version, request.label) for request in others} == {
        ("pixels", 3, "")
    }


def test_all_parts_have_the_id_of_the_call(kind: str) -> None:
    ids = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        ids.append(dict(context.invocation_metadata()).get("x-request-id"))
        return classify(request)

    with start_serving(answer) as serving:
        predict(kind, serving.address, IMAGES, request_id="job-7")
        with pytest.raises(ValueError, match="request_id"):
            predict(kind, serving.address, IMAGES, request_id="\n")
    assert ids == ["job-7"] * N_PARTS


def test_several_are_in_flight(kind: str) -> None:
    """The first goes alone; four wait for each other."""
    alone, together = threading.Event(), threading.Barrier(4)

    def answer(request: classifier_pb2.PredictRequest, _: Any) -> Any:
        if alone.is_set():
            together.wait(GUARD_SECONDS)
        alone.set()
        return classify(request)

    with start_serving(answer) as serving:
        check(predict(kind, serving.address, IMAGES))
        assert len(serving.requests) == 1 + 2 * 4


def refuse_once(code: grpc.StatusCode, detail: Any, number: int) -> Answer:
    """Refuse the request of a number, counted from 0."""
    lock, numbers = threading.Lock(), iter(range(1000))

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        with lock:
            is_refused = next(numbers) == number
        if is_refused:
            status = status_pb2.Status(code=int(code.value[0]), message="so it is")
            status.details.add().Pack(detail)
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
            context.abort(code, "so it is")
        return classify(request)

    return answer


@pytest.mark.parametrize("number", [0, 3, 8])
def test_overload_is_waited_for(kind: str, number: int) -> None:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1)
    answer = refuse_once(grpc.StatusCode.RESOURCE_EXHAUSTED, retry, number)
    with start_serving(answer) as serving:
        check(predict(kind, serving.address, IMAGES))
        assert len(serving.requests) == N_PARTS + 1


def test_an_error_names_its_images(kind: str) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="pixels", reason="NOT_FINITE")
    detail = error_details_pb2.BadRequest(field_violations=[violation])

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if np.isnan(np.array(request.pixels[: PART * 784])).any():
            return refuse_once(grpc.StatusCode.INVALID_ARGUMENT, detail, 0)(request, context)
        return classify(request)

    images = IMAGES.copy()
    images[1000, 3] = np.nan
    with (
        start_serving(answer) as serving,
        pytest.raises(mlpserve.InvalidRequest, match=r"^images 668 to 1001.*so it is") as raised,
    ):
        predict(kind, serving.address, images.astype(np.float64), request_id="job-8")
    assert raised.value.request_id == "job-8"
    assert [violation.reason for violation in raised.value.violations] == ["NOT_FINITE"]
    assert len(serving.requests) < N_PARTS


@contextlib.contextmanager
def stuck_serving() -> Iterator[tuple[Serving, threading.Semaphore, threading.Semaphore]]:
    """A server that answers the first part; counts the others, and those whose calls end."""
    arrived, ended = threading.Semaphore(0), threading.Semaphore(0)
    release = threading.Event()

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if request.pixels[0] != IMAGES[0, 0]:
            context.add_callback(ended.release)
            arrived.release()
            release.wait()
        return classify(request)

    with start_serving(answer) as serving:
        try:
            yield serving, arrived, ended
        finally:
            release.set()


def acquire(semaphore: threading.Semaphore, count: int) -> None:
    for _ in range(count):
        assert semaphore.acquire(timeout=GUARD_SECONDS)


def test_closing_ends_the_calls() -> None:
    arrived, ended, release = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if request.pixels[0] == IMAGES[334, 0]:
            # The second part is answered while three others are in flight.
            acquire(arrived, 3)
        elif request.pixels[0] != IMAGES[0, 0]:
            context.add_callback(ended.release)
            arrived.release()
            release.wait()
        return classify(request)

    with start_serving(answer) as serving, Client(serving.address) as client:
        parts = client.predict_parts(IMAGES)
        next(parts)
        next(parts)
        parts.close()
        acquire(ended, 3)
        release.set()


def test_an_iterable_that_raises_ends_the_calls() -> None:
    def items() -> Iterator[Any]:
        yield IMAGES[:668]
        acquire(arrived, 1)
        raise OSError("the disk is gone")

    with stuck_serving() as (serving, arrived, ended), Client(serving.address) as client:
        with pytest.raises(OSError, match="the disk is gone"):
            client.predict(items())
        acquire(ended, 1)


def test_cancelling_a_task_ends_its_calls() -> None:
    async def cancel(serving: Serving, arrived: threading.Semaphore) -> None:
        async with aio.Client(serving.address) as client:
            task = asyncio.create_task(client.predict(IMAGES))
            await asyncio.to_thread(acquire, arrived, 4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with stuck_serving() as (serving, arrived, ended):
        asyncio.run(cancel(serving, arrived))
        acquire(ended, 4)


def test_time_for_all_parts(kind: str) -> None:
    with stuck_serving() as (serving, _, ended):
        with pytest.raises(mlpserve.DeadlineExceeded, match=r"^images 334 to 667"):
            predict(kind, serving.address, IMAGES, timeout_seconds=1.0)
        acquire(ended, 4)


@pytest.mark.parametrize("seconds", [0, float("nan"), -1])
def test_no_such_time(kind: str, serving: Serving, seconds: float) -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        predict(kind, serving.address, IMAGES, timeout_seconds=seconds)
    assert not serving.requests


def test_what_an_iterable_holds_is_named(kind: str, serving: Serving) -> None:
    with pytest.raises(TypeError, match="item 2: images has the type int64"):
        predict(kind, serving.address, iter([*IMAGES[:2], np.zeros(784, np.int64)]))
    with pytest.raises(ValueError, match="images is empty; send one or more"):
        predict(kind, serving.address, iter([]))
    assert not serving.requests


def test_parts_are_yielded_in_order(serving: Serving) -> None:
    with Client(serving.address) as client:
        parts = list(client.predict_parts(IMAGES))
    assert [len(part) for part in parts] == [334] * 8 + [328]
    activations = np.concatenate([part.activations for part in parts])
    np.testing.assert_array_equal(activations, IMAGES[:, :N_CLASSES])

    async def ask() -> list[int]:
        async with aio.Client(serving.address) as client:
            return [len(part) async for part in client.predict_parts(iter(IMAGES))]

    assert asyncio.run(ask()) == [334] * 8 + [328]


def test_no_more_images_are_asked_for_than_are_in_flight(serving: Serving) -> None:
    n_asked_for = n_answered = 0

    def items() -> Iterator[Any]:
        nonlocal n_asked_for
        for image in IMAGES:
            n_asked_for += 1
            # Four parts in flight, the one that becomes full, and the one that is answered now.
            assert n_asked_for - n_answered <= 6 * PART
            yield image

    with Client(serving.address) as client:
        for part in client.predict_parts(items()):
            n_answered += len(part)
    assert n_answered == N_IMAGES
