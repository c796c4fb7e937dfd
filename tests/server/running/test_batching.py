"""Calls that meet run together, and each gets its own answer and no other's."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.network.network import Batch, Network
from harness.calls import predict, predict_method
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictResponse
from tests.server.faults import SLOW, Runs
from tests.server.modes import ON_THE_LANE

Networks = dict[tuple[str, int], Network]
MODELS = {"digits": 1, "small": 2, SLOW: 1}
MAX_BATCH_SIZE = 64


@pytest.fixture(scope="module")
def busy(models: Path, runs: Runs, lane: bool) -> Iterator[ServerProcess]:
    """A server of several models, one of which can be held."""
    arguments = ("--max-batch-size", str(MAX_BATCH_SIZE))
    with start_server(models, *arguments, *mode(lane), **runs.variables) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that a test makes: how many images for which model, and what goes wrong with it."""

    model: str
    images: int
    fault: str
    seed: int
    hidden: bool


ARRIVALS = st.builds(
    Arrival,
    model=st.sampled_from(sorted(MODELS)),
    images=st.integers(1, 20),
    fault=st.sampled_from([*["none"] * 6, "nan", "length", "cancel", "deadline"]),
    seed=st.integers(0, 2**32 - 1),
    hidden=st.booleans(),
)


def pixels_of(arrival: Arrival, n_pixels: int) -> Batch:
    """The images of a call, which no other call has."""
    pixels = np.random.default_rng(arrival.seed).random(
        (arrival.images, n_pixels), dtype=np.float32
    )
    if arrival.fault == "nan":
        pixels[-1, -1] = np.nan
    return pixels


def request_of(arrival: Arrival, n_pixels: int) -> bytes:
    pixels = pixels_of(arrival, n_pixels).ravel()
    return PredictRequest(
        model=arrival.model,
        pixels=pixels[1:] if arrival.fault == "length" else pixels,
        hidden_activations=arrival.hidden,
    ).SerializeToString()


def check_answer(arrival: Arrival, response: PredictResponse, networks: Networks) -> None:
    """Compare with what NumPy says to these very images."""
    version = MODELS[arrival.model]
    network = networks[arrival.model, version]
    *hidden, expected = network.forward(pixels_of(arrival, network.n_inputs))
    assert (response.model, response.version) == (arrival.model, version)
    found = np.reshape(response.activations, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    layers = hidden if arrival.hidden else []
    assert [layer.neurons for layer in response.hidden_layers] == [a.shape[1] for a in layers]
    for answered, layer in zip(response.hidden_layers, layers, strict=True):
        np.testing.assert_allclose(
            np.reshape(answered.activations, layer.shape), layer, rtol=0, atol=2e-5
        )


FAULTS = {
    "nan": {grpc.StatusCode.INVALID_ARGUMENT},
    "length": {grpc.StatusCode.INVALID_ARGUMENT},
    "cancel": {grpc.StatusCode.CANCELLED, grpc.StatusCode.OK},
    "deadline": {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.OK},
    "none": {grpc.StatusCode.OK},
}


@settings(max_examples=25, deadline=None)
@given(arrivals=st.lists(ARRIVALS, min_size=1, max_size=40))
def test_no_answer_reaches_another_caller(
    busy: ServerProcess, networks: Networks, arrivals: list[Arrival]
) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(busy.grpc_address, options=options) for _ in range(3)]
    try:
        futures = []
        for number, arrival in enumerate(arrivals):
            n_pixels = networks[arrival.model, MODELS[arrival.model]].n_inputs
            call = predict_method(channels[number % len(channels)])
            timeout = 0.003 if arrival.fault == "deadline" else 60
            futures.append(call.future(request_of(arrival, n_pixels), timeout=timeout))
            if arrival.fault == "cancel" and random.Random(arrival.seed).random() < 0.7:
                futures[-1].cancel()
        for arrival, future in zip(arrivals, futures, strict=True):
            if arrival.fault == "cancel":
                future.cancel()
            code = future.code()
            assert code in FAULTS[arrival.fault], (arrival, code, future.details())
            if code is grpc.StatusCode.OK:
                check_answer(arrival, future.result(), networks)
    finally:
        for channel in channels:
            channel.close()


@ON_THE_LANE
def test_calls_that_wait_for_a_slow_model_run_together(
    busy: ServerProcess, runs: Runs, networks: Networks
) -> None:
    arrivals = [Arrival(SLOW, 1, "none", seed, hidden=False) for seed in range(61)]
    before = value(busy, "mlpserve_run_calls_count", model=SLOW)
    with grpc.insecure_channel(busy.grpc_address) as channel:
        call = predict_method(channel)
        messages = [request_of(one, 784) for one in arrivals]
        with runs.held():
            futures = [call.future(messages[0], timeout=60)]
            runs.wait_until_begun()
            futures += [call.future(message, timeout=60) for message in messages[1:]]
            wait_for(lambda: value(busy, "mlpserve_queued_images") == 60)
        for arrival, future in zip(arrivals, futures, strict=True):
            check_answer(arrival, future.result(), networks)
    assert value(busy, "mlpserve_run_calls_count", model=SLOW) == before + 2


@ON_THE_LANE
def test_runs_stay_within_the_largest_batch(busy: ServerProcess, runs: Runs) -> None:
    images = 40
    message = PredictRequest(model=SLOW, pixels_u8=bytes(784 * images)).SerializeToString()
    before = value(busy, "mlpserve_run_calls_count", model=SLOW)
    with grpc.insecure_channel(busy.grpc_address) as channel:
        call = predict_method(channel)
        with runs.held():
            futures = [call.future(message, timeout=60)]
            runs.wait_until_begun()
            futures += [call.future(message, timeout=60) for _ in range(7)]
            wait_for(lambda: value(busy, "mlpserve_queued_images") == 7 * images)
        assert [len(future.result().labels) for future in futures] == [images] * 8
    # Two of them are more than a run may have.
    assert value(busy, "mlpserve_run_calls_count", model=SLOW) == before + 8


def test_a_slow_run_stalls_nobody_else(busy: ServerProcess, runs: Runs) -> None:
    slow = PredictRequest(model=SLOW, pixels_u8=bytes(784)).SerializeToString()
    quick = PredictRequest(model="digits", pixels_u8=bytes(784))
    with grpc.insecure_channel(busy.grpc_address) as channel:
        with runs.held():
            futures = [predict_method(channel).future(slow, timeout=60) for _ in range(2)]
            runs.wait_until_begun()
            for _ in range(20):
                assert predict(channel, quick).model == "digits"
                assert is_ready(channel)
            assert not any(future.done() for future in futures)
        assert [len(future.result().labels) for future in futures] == [1, 1]


def is_ready(channel: grpc.Channel) -> bool:
    """Whether the server says that it is ready."""
    check: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    return bool(check(b"\x0a\x16mlpserve.v1.Classifier", timeout=60) == b"\x08\x01")


def test_a_delay_lets_a_lone_call_wait_for_others(models: Path) -> None:
    arguments = ("--default-model", "digits", "--batch-delay-seconds", "1")
    with (
        start_server(models, *arguments) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        assert predict(channel, PredictRequest(pixels_u8=bytes(784))).labels
        assert value(server, "mlpserve_stage_seconds_sum", stage="queue") >= 1
