"""Requests that name no version are spread over several, and shadowed by one."""

from collections import Counter
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from exporter.export import graph, publishing
from exporter.network.network import Layer, Network
from harness.calls import predict, predict_method
from harness.scrape import samples, value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictResponse, PredictStreamResponse
from server.models.traffic import Split

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
def split(tmp_path_factory: pytest.TempPathFactory, lane: bool) -> Iterator[ServerProcess]:
    """A server of several models, whose versions 1 and 2 answer alike, version 3 otherwise.

    It gives version 3 of `small` a quarter of the requests and runs half of the others on it; the
    other models are shadowed as they are called, and `lost` has too little loaded for its weights.
    """
    folder = tmp_path_factory.mktemp("traffic")
    for name in ("small", "alike", "unlike", "lost"):
        for version, label in ((1, 0), (2, 0), (3, 1)):
            publishing.publish(graph.build(always(label)), folder, name, version)
    settings = [
        *("--default-model", "small", "--versions", "latest 1; alike: 1, 2; unlike: 1, 3"),
        *("--labels", "small: stable 1, canary 3; lost: stable 1, canary 9"),
        "--traffic",
        "small: stable 75, canary 25; alike: 1 1; unlike: 1 1; lost: stable 1, canary 99",
        *("--shadow", "small: canary 50; alike: 2 100; unlike: 3 100"),
    ]
    with start_server(folder, *settings, *mode(lane)) as running:
        yield running


def ask(
    server: ServerProcess, request: PredictRequest = REQUEST, metadata: Metadata = ()
) -> PredictResponse:
    with grpc.insecure_channel(server.grpc_address) as channel:
        message = request.SerializeToString()
        return predict_method(channel)(message, timeout=60, metadata=metadata)


def test_weights_and_keys_decide(split: ServerProcess) -> None:
    with grpc.insecure_channel(split.grpc_address) as channel:
        call, message = predict_method(channel), REQUEST.SerializeToString()
        by_chance = [call.future(message, timeout=60) for _ in range(CALLS)]
        found = Counter(future.result().version for future in by_chance)
        # Six standard deviations around a quarter.
        assert set(found) == {1, 3}
        assert 0.12 < found[3] / CALLS < 0.38
        keys: list[Metadata] = [(("route-key", f"user {number}"),) for number in range(100)]
        twice = [[call.future(message, timeout=60, metadata=key) for key in keys] for _ in range(2)]
        first, second = ([future.result().version for future in one] for one in twice)
        assert first == second
        assert 0 < first.count(3) < 50
        named = PredictRequest(pixels=REQUEST.pixels, label="stable").SerializeToString()
        assert {call(named, timeout=60, metadata=key).version for key in keys[:20]} == {1}


def test_messages_of_a_stream_share_its_key(split: ServerProcess) -> None:
    unary = ask(split, metadata=(("route-key", "stream"),)).version
    with grpc.insecure_channel(split.grpc_address) as channel:
        stream = channel.stream_stream(
            "/mlpserve.v1.Classifier/PredictStream",
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictStreamResponse.FromString,
        )
        answers = stream(iter([REQUEST] * 20), timeout=60, metadata=(("route-key", "stream"),))
        assert {answer.response.version for answer in answers} == {unary}


@pytest.mark.parametrize(("name", "shadow", "differing"), [("alike", 2, 0), ("unlike", 3, 50)])
def test_shadow_counts_labels_that_differ(
    split: ServerProcess, name: str, shadow: int, differing: int
) -> None:
    labels = {"model": name, "version": str(shadow)}
    request = PredictRequest(model=name, pixels=REQUEST.pixels)
    with grpc.insecure_channel(split.grpc_address) as channel:
        assert {predict(channel, request).version for _ in range(50)} == {1}
        wait_for(lambda: value(split, "mlpserve_shadow_images_total", **labels) == 50)
        found = value(split, "mlpserve_shadow_differing_images_total", **labels)
        assert found == differing
        # What the shadow answers itself needs no second run.
        request.version = shadow
        assert predict(channel, request).version == shadow
        request.version = 0
        assert predict(channel, request).version == 1
    wait_for(lambda: value(split, "mlpserve_shadow_images_total", **labels) == 51)
    assert value(split, "mlpserve_images_total", **labels) == 1


def test_share_of_shadowed_requests(split: ServerProcess) -> None:
    def shadowed() -> float:
        return value(split, "mlpserve_shadow_images_total", model="small")

    before = shadowed()
    named = PredictRequest(pixels=REQUEST.pixels, label="stable").SerializeToString()
    with grpc.insecure_channel(split.grpc_address) as channel:
        futures = [predict_method(channel).future(named, timeout=60) for _ in range(CALLS)]
        assert {future.result().version for future in futures} == {1}
    # Six standard deviations below a half, and above.
    wait_for(lambda: shadowed() - before > 0.35 * CALLS)
    assert shadowed() - before < 0.65 * CALLS


def test_nothing_is_counted_when_nothing_is_shadowed(
    server: ServerProcess, channel: grpc.Channel
) -> None:
    assert predict(channel, PredictRequest(pixels_u8=bytes(784))).labels
    assert not [name for name, _ in samples(server) if name.startswith("mlpserve_shadow")]


def test_split_follows_what_is_loaded(split: ServerProcess) -> None:
    request = PredictRequest(model="lost", pixels=REQUEST.pixels)
    with grpc.insecure_channel(split.grpc_address) as channel:
        assert {predict(channel, request).version for _ in range(20)} == {1}
    warnings = [line["message"] for line in split.log if line["level"] == "warning"]
    assert any("--traffic: lost has canary 99" in message for message in warnings)


def test_no_weights_make_no_split() -> None:
    assert Split.from_weights({}) is None
