"""Requests that name no version are spread over several, and shadowed by one."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from exporter.export import graph, publishing
from exporter.network.network import Layer, Network
from harness.calls import predict_method
from harness.scrape import samples, value
from harness.server_process import ServerProcess, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictResponse, PredictStreamResponse
from server.models.traffic import Split

pytestmark = pytest.mark.both_modes

PIXELS = 4
CALLS = 400
REQUEST = PredictRequest(pixels=[0.25] * PIXELS)
Metadata = tuple[tuple[str, str | bytes], ...]


def always(label: int) -> Network:
    """A network that gives every image the same label."""
    biases = np.full(3, -1, np.float32)
    biases[label] = 1
    layer = Layer(np.zeros((3, PIXELS), np.float32), biases, "sigmoid")
    return Network((layer,), ("a", "b", "c"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 and 2 answer alike, version 3 otherwise."""
    folder = tmp_path_factory.mktemp("traffic")
    for version, label in ((1, 0), (2, 0), (3, 1)):
        publishing.publish(graph.build(always(label)), folder, "small", version)
    return folder


@pytest.fixture(scope="module")
def split(repository: Path) -> Iterator[ServerProcess]:
    """A server that gives version 3 a quarter of the requests and runs half of the others on it."""
    settings = [
        *("--labels", "stable 1, canary 3"),
        *("--traffic", "small: stable 75, canary 25"),
        *("--shadow", "small: canary 50"),
    ]
    with start_server(repository, *settings) as running:
        yield running


def ask(
    server: ServerProcess, request: PredictRequest = REQUEST, metadata: Metadata = ()
) -> PredictResponse:
    with grpc.insecure_channel(server.grpc_address) as channel:
        message = request.SerializeToString()
        return predict_method(channel)(message, timeout=30, metadata=metadata)


def test_weights_and_keys_decide(split: ServerProcess) -> None:
    with grpc.insecure_channel(split.grpc_address) as channel:
        call, message = predict_method(channel), REQUEST.SerializeToString()
        by_chance = [call.future(message, timeout=30) for _ in range(CALLS)]
        found = Counter(future.result().version for future in by_chance)
        # Six standard deviations around a quarter.
        assert set(found) == {1, 3}
        assert 0.12 < found[3] / CALLS < 0.38
        keys: list[Metadata] = [(("route-key", f"user {number}"),) for number in range(100)]
        twice = [[call.future(message, timeout=30, metadata=key) for key in keys] for _ in range(2)]
        first, second = ([future.result().version for future in one] for one in twice)
        assert first == second
        assert 0 < first.count(3) < 50
        named = PredictRequest(pixels=REQUEST.pixels, label="stable").SerializeToString()
        assert {call(named, timeout=30, metadata=key).version for key in keys[:20]} == {1}


def test_messages_of_a_stream_share_its_key(split: ServerProcess) -> None:
    unary = ask(split, metadata=(("route-key", "stream"),)).version
    with grpc.insecure_channel(split.grpc_address) as channel:
        stream = channel.stream_stream(
            "/mlpserve.v1.Classifier/PredictStream",
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictStreamResponse.FromString,
        )
        answers = stream(iter([REQUEST] * 20), timeout=30, metadata=(("route-key", "stream"),))
        assert {answer.response.version for answer in answers} == {unary}


def test_shadow_counts_labels_that_differ(repository: Path) -> None:
    for shadow, differing in (("2 100", 0), ("3 100", 50)):
        settings = ["--versions", "1, 2, 3", "--traffic", "1 1", "--shadow", shadow]
        version = shadow.split()[0]
        with start_server(repository, *settings) as server:
            for _ in range(50):
                assert ask(server).version == 1
            wait_for(server, 50, version)
            found = value(server, "mlpserve_shadow_differing_images_total", version=version)
            assert found == differing
            # What the shadow answers itself needs no second run.
            named = PredictRequest(pixels=REQUEST.pixels, version=int(version))
            assert ask(server, named).version == int(version)
            assert ask(server).version == 1
            wait_for(server, 51, version)
            assert value(server, "mlpserve_images_total", version=version) == 1


def wait_for(server: ServerProcess, images: int, version: str) -> None:
    """Wait until the shadow has classified so many images."""
    for _ in range(200):
        if (found := value(server, "mlpserve_shadow_images_total", version=version)) == images:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"the shadow classified {found} images, not {images}")


def test_share_of_shadowed_requests(split: ServerProcess) -> None:
    before = value(split, "mlpserve_shadow_images_total")
    named = PredictRequest(pixels=REQUEST.pixels, label="stable").SerializeToString()
    with grpc.insecure_channel(split.grpc_address) as channel:
        futures = [predict_method(channel).future(named, timeout=30) for _ in range(CALLS)]
        assert {future.result().version for future in futures} == {1}
    for _ in range(200):
        share = (value(split, "mlpserve_shadow_images_total") - before) / CALLS
        if share > 0.35:
            break
        threading.Event().wait(0.05)
    assert 0.35 < share < 0.65


def test_nothing_is_counted_when_nothing_is_shadowed(repository: Path) -> None:
    with start_server(repository) as server:
        assert {ask(server).version for _ in range(20)} == {3}
        assert not [name for name, _ in samples(server) if name.startswith("mlpserve_shadow")]


def test_split_follows_what_is_loaded(repository: Path) -> None:
    settings = ["--labels", "stable 1, canary 9", "--traffic", "stable 1, canary 99"]
    with start_server(repository, *settings) as server:
        assert {ask(server).version for _ in range(20)} == {1}
        warnings = [line["message"] for line in server.log if line["level"] == "warning"]
        assert any("--traffic: small has canary 99" in message for message in warnings)


def test_no_weights_make_no_split() -> None:
    assert Split.from_weights({}) is None
