"""The images as the network saw them, for those who ask for them."""

import asyncio

import grpc
import numpy as np
import pytest

import mlpserve
from canonical import canonicalize
from exporter import network
from exporter.network.network import Batch
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels
from harness.calls import predict, predict_method, violation
from harness.server_process import ROOT, ServerProcess
from mlpserve import aio
from mlpserve.v1.classifier_pb2 import PredictRequest

LAYOUT = network.load(ROOT / "exporter" / "weights" / "digits.npz").image_layout


@pytest.fixture(scope="module")
def moved(digits: tuple[Batch, Labels]) -> Batch:
    """Eighty digits that are not where the network expects them."""
    return DISTORTIONS["shifted 4 px down and right"](digits[0][:80])


def seen_in(prediction: mlpserve.Prediction) -> Batch:
    done = prediction.canonicalization
    assert done is not None
    assert done.pixels is not None
    return done.pixels


@pytest.mark.parametrize("hidden", [False, True])
def test_what_the_network_saw_is_returned(
    each_server: ServerProcess, moved: Batch, hidden: bool
) -> None:
    with mlpserve.Client(each_server.grpc_address) as client:
        asked = client.predict(
            moved, canonicalize=True, canonical_pixels=True, hidden_activations=hidden
        )
        unasked = client.predict(moved, canonicalize=True)
        seen = seen_in(asked)
        np.testing.assert_array_equal(seen, canonicalize(moved, LAYOUT).batch)
        assert seen.flags.writeable
        again = client.predict(seen, hidden_activations=hidden)
    np.testing.assert_array_equal(again.activations, asked.activations)
    assert len(asked.hidden_layers) == 2 * hidden
    assert unasked.canonicalization is not None
    assert unasked.canonicalization.pixels is None


def test_neighbours_in_a_run_get_what_they_asked_for(
    each_channel: grpc.Channel, moved: Batch
) -> None:
    """Without canonicalization, with it, and with its images too."""
    futures = [
        predict_method(each_channel).future(
            PredictRequest(
                pixels=image, canonicalize=number % 3 > 0, canonical_pixels=number % 3 > 1
            ).SerializeToString(),
            timeout=60,
        )
        for number, image in enumerate(moved)
    ]
    expected = canonicalize(moved, LAYOUT).batch
    for number, future in enumerate(futures):
        response = future.result()
        assert response.HasField("canonicalization") == (number % 3 > 0)
        wanted = expected[number].tolist() if number % 3 > 1 else []
        assert list(response.canonicalization.pixels) == wanted


def test_all_ways_of_the_clients_bring_them(each_server: ServerProcess, moved: Batch) -> None:
    expected = canonicalize(moved, LAYOUT).batch
    with mlpserve.Client(each_server.grpc_address) as client:
        (part,) = client.predict_parts(moved, canonicalize=True, canonical_pixels=True)
        stream = list(client.predict_stream(moved, canonicalize=True, canonical_pixels=True))
    np.testing.assert_array_equal(seen_in(part), expected)
    np.testing.assert_array_equal(
        np.concatenate([seen_in(answer.prediction) for answer in stream]), expected
    )

    async def ask() -> list[mlpserve.Prediction]:
        async with aio.Client(each_server.grpc_address, coalesce=True) as client:
            calls = (
                client.predict(image, canonicalize=True, canonical_pixels=True) for image in moved
            )
            return list(await asyncio.gather(*calls))

    np.testing.assert_array_equal(np.concatenate(list(map(seen_in, asyncio.run(ask())))), expected)


def test_they_are_refused_without_canonicalization(channel: grpc.Channel, moved: Batch) -> None:
    with pytest.raises(grpc.RpcError, match="set canonicalize too") as caught:
        predict(channel, PredictRequest(pixels=moved[0], canonical_pixels=True))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = violation(caught.value)
    assert (found.field, found.reason) == ("canonical_pixels", "WITHOUT_CANONICALIZE")
