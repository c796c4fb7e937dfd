"""Models and versions come and go while the server answers."""

import signal
from pathlib import Path

import grpc
import numpy as np
import pytest

from exporter.export import graph, publishing
from harness.calls import error_info, predict, predict_method
from harness.networks import random_network
from harness.scrape import samples, value
from harness.server_process import ServerProcess, run_to_end, start_server
from mlpserve import Client, InvalidRequest, ModelNotFound
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.versions import IMAGE, check, check_until, info, only, publish, states


def log_of(server: ServerProcess, event: str) -> list[tuple[str, int]]:
    return [(line["model"], line["version"]) for line in server.log if line["event"] == event]


def test_versions_and_labels_in_every_protocol(tmp_path: Path) -> None:
    for version in (1, 2, 3, 4):
        publish(tmp_path, version)
    settings = ["--versions", "latest 2", "--labels", "small: stable 1, canary 4, lost 9"]
    with (
        start_server(tmp_path, *settings) as server,
        Client(server.grpc_address) as client,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        check(client, 4)
        check(client, 3, version=3)
        check(client, 1, label="stable")
        check(client, 4, model="small", label="canary")
        assert states(client) == {1: True, 3: True, 4: True}
        assert only(client).labels == {"stable": 1, "canary": 4}
        assert (only(client).default_version, only(client).is_default) == (4, True)
        assert info(server) == {"1", "3", "4"}
        for text, wanted in [("stable", "1"), ("3", "3"), ("", "4")]:
            assert infer(channel, text).model_version == wanted
        for text, reason in [("2", "VERSION_NOT_FOUND"), ("lost", "LABEL_NOT_FOUND")]:
            with pytest.raises(grpc.RpcError) as caught:
                infer(channel, text)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            found = error_info(caught.value)
            assert found.reason == reason
            assert found.metadata["versions"] == "1, 3, 4"
            assert found.metadata["labels"] == "stable (1), canary (4)"
        with pytest.raises(ModelNotFound, match=r"labels stable \(1\), canary \(4\), not 'x'"):
            client.predict(IMAGE, label="x")
        with pytest.raises(ModelNotFound, match=r"versions 1, 3, 4 loaded, not 2; ask for one"):
            client.predict(IMAGE, version=2)
        with pytest.raises(InvalidRequest, match="version 1 and label 'stable' are both given"):
            client.predict(IMAGE, version=1, label="stable")
        (warning,) = (line for line in server.log if line["event"] == "repository problem")
        assert "small has lost 9, and that version is not loaded" in warning["message"]


def infer(channel: grpc.Channel, version: str) -> protocol.ModelInferResponse:
    tensor = protocol.ModelInferRequest.InferInputTensor
    request = protocol.ModelInferRequest(
        model_version=version,
        inputs=[tensor(name="pixels", datatype="FP32", shape=IMAGE.shape)],
        raw_input_contents=[IMAGE.tobytes()],
    )
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=protocol.ModelInferRequest.SerializeToString,
        response_deserializer=protocol.ModelInferResponse.FromString,
    )
    response: protocol.ModelInferResponse = call(request, timeout=30)
    return response


@pytest.mark.parametrize(
    "content",
    [
        'versions = "latest 1; small: 1, 3"\nlabels = "other: old 2"\n',
        '[versions]\n"*" = "latest 1"\nsmall = [1, 3]\n[labels.other]\nold = 2\n',
    ],
    ids=["text", "tables"],
)
def test_each_model_has_its_policy(tmp_path: Path, content: str) -> None:
    repository, file = tmp_path / "models", tmp_path / "settings.toml"
    for version in (1, 2, 3):
        publish(repository, version)
        publish(repository, version, "other")
    file.write_text(content)
    with (
        start_server(repository, "--config", str(file)) as server,
        Client(server.grpc_address) as client,
    ):
        other, small = client.list_models()
        assert [version.version for version in small.versions] == [1, 3]
        assert [version.version for version in other.versions] == [2, 3]
        assert other.labels == {"old": 2}


def test_settings_that_no_version_fits(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    for flag, text, words in (
        ("--versions", "7", "small is to have 7, and the repository"),
        ("--traffic", "stable 0", "'stable 0' can't be used"),
    ):
        ended = run_to_end("--repository", str(tmp_path), flag, text)
        assert ended.returncode == 1
        (line,) = (line for line in ended.stderr.splitlines() if line.startswith("Error: "))
        assert words in line
        assert "Traceback" not in ended.stderr


def test_new_version_takes_over_and_the_old_one_is_released(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        check(client, 1)
        publish(tmp_path, 2)
        assert server.wait_for("model unloaded")["version"] == 1
        check(client, 2)
        assert server.wait_for("model released")["version"] == 1
        with pytest.raises(ModelNotFound, match="has version 2 loaded, not 1"):
            client.predict(IMAGE, version=1)
        assert states(client) == {2: True}
        assert info(server) == {"2"}
        assert not [labels for _, labels in samples(server) if ("version", "1") in labels]
        assert value(server, "mlpserve_images_total", version="2") == 1
        assert value(server, "mlpserve_model_loads_total", model="small") == 2


def test_new_model_joins_and_the_default_stays(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        publish(tmp_path, 7, "digits")
        assert server.wait_for("model loaded")["model"] == "digits"
        check_until(lambda: len(client.list_models()) == 2)
        check(client, 7, model="digits")
        check(client, 1)


def test_hangup_reloads_where_nothing_is_watched(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with start_server(tmp_path, "--watch", "off") as server, Client(server.grpc_address) as client:
        for version in (2, 3):
            publish(tmp_path, version)
        check(client, 1)
        server.process.send_signal(signal.SIGHUP)
        assert server.wait_for("model unloaded")["version"] == 1
        check(client, 3)
        assert log_of(server, "model loaded") == [("small", 1), ("small", 3)]


def test_runs_in_progress_keep_their_version(tmp_path: Path) -> None:
    publishing.publish(graph.build(random_network((784, 2048, 2048, 10), seed=1)), tmp_path, "wide")
    with (
        start_server(tmp_path) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        Client(server.grpc_address) as client,
    ):
        request = PredictRequest(pixels_u8=bytes(784 * 4096)).SerializeToString()
        slow = predict_method(channel).future(request, timeout=120)
        check_until(lambda: value(server, "grpc_server_started_total", grpc_method="Predict") == 1)
        small = graph.build(random_network((784, 5, 10), seed=2))
        publishing.publish(small, tmp_path, "wide", 2)
        server.wait_for("model unloaded")
        assert client.predict(np.zeros(784)).version == 2
        assert predict(channel, PredictRequest(pixels=[0] * 784)).version == 2
        assert slow.result()
        assert server.wait_for("model released")["version"] == 1
