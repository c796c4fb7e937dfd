"""More images than go in one call, and streams, against the server: answers are those of calls."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import mlpserve
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.server_process import ServerProcess, start_server
from mlpserve import Client, Prediction, aio


@pytest.fixture(scope="module")
def expected(servers: Callable[[bool], ServerProcess], digits: tuple[Batch, Labels]) -> Prediction:
    """What calls of a thousand images say, put together; hidden layers aside."""
    images, _ = digits
    with Client(servers(True).grpc_address) as client:
        calls = [
            client.predict(images[begin : begin + 1000], hidden_activations=True)
            for begin in range(0, len(images), 1000)
        ]
    return Prediction(
        np.concatenate([call.labels for call in calls]),
        np.concatenate([call.activations for call in calls]),
        calls[0].label_names,
        calls[0].model,
        calls[0].version,
        (np.concatenate([call.hidden_layers[0] for call in calls]),),
    )


def check(prediction: Prediction, expected: Prediction) -> None:
    np.testing.assert_array_equal(prediction.labels, expected.labels)
    np.testing.assert_allclose(prediction.activations, expected.activations, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        prediction.hidden_layers[0], expected.hidden_layers[0], rtol=0, atol=1e-6
    )
    assert (prediction.model, prediction.version) == (expected.model, expected.version)


@pytest.mark.parametrize("form", ["float32", "float64", "uint8", "file", "generator", "squares"])
def test_all_test_images_in_one_call(
    each_server: ServerProcess,
    digits: tuple[Batch, Labels],
    expected: Prediction,
    tmp_path: Path,
    form: str,
) -> None:
    """The server takes 1,000 images a call, fewer than a part of uint8 has at first."""
    images: npt.NDArray[Any] = digits[0]
    asked: Any = images
    if form == "uint8":
        asked = np.rint(255 * images).astype(np.uint8)
    elif form == "float64":
        asked = images.astype(np.float64)
    elif form == "file":
        np.save(tmp_path / "images.npy", images)
        asked = np.load(tmp_path / "images.npy", mmap_mode="r")
    elif form == "generator":
        asked = (image for image in images)
    elif form == "squares":
        asked = (image.reshape(28, 28) for image in images)
    with Client(each_server.grpc_address) as client:
        check(client.predict(asked, hidden_activations=True), expected)

    async def ask() -> Prediction:
        async with aio.Client(each_server.grpc_address) as client:
            return await client.predict(images, hidden_activations=True)

    check(asyncio.run(ask()), expected)


def test_normalisation_is_reported_for_each_image(
    each_server: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    images = digits[0][:2000].copy()
    images[::3] = 1 - images[::3]
    with Client(each_server.grpc_address) as client:
        whole = client.predict(images, canonicalize=True, canonical_pixels=True)
        parts = [
            client.predict(images[i : i + 500], canonicalize=True, canonical_pixels=True)
            for i in range(0, 2000, 500)
        ]
    done = [part.canonicalization for part in parts]
    assert whole.canonicalization is not None
    for name in ("inverted", "scales", "shifts", "pixels"):
        alone = np.concatenate([getattr(each, name) for each in done])
        np.testing.assert_array_equal(getattr(whole.canonicalization, name), alone)
    assert whole.canonicalization.inverted[::3].mean() > 0.9


def test_an_invalid_image_is_named(
    each_server: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    images = digits[0][:5000].copy()
    images[4321, 7] = np.nan
    message = (
        r"^images 4008 to 4341, which are images 0 to 333 of their part: "
        r"pixels: image 313, pixel 7 is nan"
    )
    with (
        Client(each_server.grpc_address) as client,
        pytest.raises(mlpserve.InvalidRequest, match=message) as raised,
    ):
        client.predict(images)
    assert [violation.reason for violation in raised.value.violations] == ["NOT_FINITE"]
    with (
        Client(each_server.grpc_address) as client,
        pytest.raises(mlpserve.InvalidRequest, match="not a multiple of 784"),
    ):
        client.predict(np.zeros((5000, 700), np.float32))
    with (
        Client(each_server.grpc_address) as client,
        pytest.raises(mlpserve.ModelNotFound, match=r"^images 0 to 333: "),
    ):
        client.predict(images, model="letters")


GREY = "make it grey with images.mean(axis=-1)"


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((28, 28, 3), GREY),
        ((28, 28, 4), "images[..., :3].mean(axis=-1)"),
        ((28, 28, 1), "send images[..., 0]"),
        ((100, 100, 3), GREY),
        ((784, 3), "it looks transposed: send images.T"),
        ((100, 100), "images has shape (100, 100)"),
        ((27, 29), "send 784 for each image"),
    ],
)
def test_images_of_another_shape_are_told_from_colours(
    server: ServerProcess, shape: tuple[int, ...], remedy: str
) -> None:
    images = np.zeros(shape, np.float32)

    async def ask() -> Prediction:
        async with aio.Client(server.grpc_address) as client:
            return await client.predict(images)

    with pytest.raises(mlpserve.InvalidRequest) as caught:
        asyncio.run(ask())
    assert remedy in str(caught.value)
    with Client(server.grpc_address) as client:
        with pytest.raises(mlpserve.InvalidRequest) as caught:
            client.predict(images)
        assert remedy in str(caught.value)
        (answer,) = client.predict_stream([images])
        assert remedy in str(answer.error)


def test_a_stream_of_all_test_images(
    each_server: ServerProcess, digits: tuple[Batch, Labels], expected: Prediction
) -> None:
    images, _ = digits
    batches = np.array_split(images, 313)
    with Client(each_server.grpc_address) as client:
        answers = list(client.predict_stream(batches))
    labels = np.concatenate([answer.prediction.labels for answer in answers])
    np.testing.assert_array_equal(labels, expected.labels)

    async def ask() -> list[int]:
        async with aio.Client(each_server.grpc_address) as client:
            return [
                int(answer.prediction.labels[0])
                async for answer in client.predict_stream(images[:500])
            ]

    assert asyncio.run(ask()) == expected.labels[:500].tolist()


def test_a_bad_item_of_a_stream_fails_alone(
    each_server: ServerProcess, digits: tuple[Batch, Labels], expected: Prediction
) -> None:
    image = digits[0][0]
    items = [
        image,
        np.full(784, np.nan),
        image[:100],
        image + 5,
        "7",
        np.zeros((4, 4, 4, 4)),
        image,
    ]
    with Client(each_server.grpc_address) as client:
        answers = list(client.predict_stream(items))
    assert [type(answer.error).__name__ for answer in answers] == [
        "NoneType",
        *["InvalidRequest"] * 3,
        *["ValueError"] * 2,
        "NoneType",
    ]
    reasons = [
        violation.reason
        for answer in answers
        if isinstance(answer.error, mlpserve.InvalidRequest)
        for violation in answer.error.violations
    ]
    assert reasons == ["NOT_FINITE", "PIXEL_COUNT", "PIXEL_RANGE"]
    assert answers[-1].prediction.labels[0] == expected.labels[0]


def test_more_streams_than_the_server_takes(repository: Path, digits: tuple[Batch, Labels]) -> None:
    image = digits[0][0]

    async def ask_in_a_task(address: str) -> None:
        async with aio.Client(address) as client:
            async for _ in client.predict_stream(image for _ in range(1000)):
                pass

    with (
        start_server(repository, "--max-streams", "1") as server,
        Client(server.grpc_address) as client,
        contextlib.closing(client.predict_stream(image for _ in range(1000))) as answers,
    ):
        next(answers)
        message = "the stream ended after 0 answers: .* is overloaded"
        with pytest.raises(mlpserve.Overloaded, match=message) as raised:
            next(client.predict_stream(image for _ in range(1000)))
        assert raised.value.retry_after_seconds
        with pytest.raises(mlpserve.Overloaded, match=message):
            asyncio.run(ask_in_a_task(server.grpc_address))
        assert sum(answer.error is None for answer in answers) == 999


def test_a_server_that_is_killed(repository: Path, digits: tuple[Batch, Labels]) -> None:
    """What was answered is known, and the rest fails at once."""
    image = digits[0][0]
    with start_server(repository, "--workers", "1") as server:

        def items() -> Iterator[Any]:
            for number in range(1000):
                if number == 500:
                    for pid in (*server.workers, server.process.pid):
                        os.kill(pid, signal.SIGKILL)
                yield image

        answers: list[Prediction] = []
        with Client(server.grpc_address) as client:
            predictions = (answer.prediction for answer in client.predict_stream(items()))
            with pytest.raises(mlpserve.Unavailable, match="the stream ended after") as raised:
                answers.extend(predictions)
    assert 500 - 64 <= len(answers) <= 500
    assert f"ended after {len(answers)} answers" in str(raised.value)
