"""What is damaged, half copied or gone replaces nothing that is served."""

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from harness.networks import random_network
from harness.scrape import value
from harness.server_process import start_server
from mlpserve import Client, ModelNotFound
from tests.server.versions import IMAGE, answer_of, check, check_until, info, only, publish, states


@pytest.mark.parametrize("fault", ["half", "weights", "foreign"])
def test_bad_version_replaces_nothing_and_is_tried_again(tmp_path: Path, fault: str) -> None:
    publish(tmp_path, 1)
    whole = publish(tmp_path / "elsewhere", 2).read_bytes()
    bad = {
        "half": whole[: len(whole) // 2],
        "weights": damaged_weights(whole),
        "foreign": whole.replace(b"mlpserve/1", b"mlpserve/9"),
    }[fault]
    reason = {"half": "not_loadable", "weights": "golden_examples", "foreign": "format"}[fault]
    folder = tmp_path / "small" / "2"
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        folder.mkdir()
        (folder / "model.onnx").write_bytes(bad)
        refused = server.wait_for("model not loaded")
        assert (refused["version"], refused["reason"]) == (2, reason)
        check_until(lambda: states(client) == {1: True, 2: False})
        check(client, 1)
        assert only(client).versions[1].error == refused["message"]
        assert only(client).default_version == 1
        failures = {"model": "small", "reason": reason}
        assert value(server, "mlpserve_model_load_failures_total", **failures) >= 1
        (folder / "model.onnx").write_bytes(whole)
        assert server.wait_for("model unloaded")["version"] == 1
        check(client, 2)
        assert states(client) == {2: True}


def damaged_weights(content: bytes) -> bytes:
    """The content with other biases, which a checker of the format does not notice."""
    biases = random_network((4, 5, 3), seed=2).layers[0].biases
    assert content.count(biases.tobytes()) == 1
    return content.replace(biases.tobytes(), (biases + 1).tobytes())


def test_file_replaced_in_place(tmp_path: Path) -> None:
    file = publish(tmp_path, 1)
    other = publish(tmp_path / "elsewhere", 2).read_bytes()
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        file.write_bytes(other[:100])
        server.wait_for("model not loaded")
        check(client, 1)
        check_until(lambda: "not a model that" in only(client).versions[0].error)
        assert states(client) == {1: True}
        file.write_bytes(other)
        server.wait_for("model released")
        np.testing.assert_allclose(client.predict(IMAGE).activations, answer_of(2), atol=1e-6)
        assert only(client).versions[0].error == ""
        assert info(server) == {"1"}


def test_version_that_vanishes(tmp_path: Path) -> None:
    for version in (1, 2):
        publish(tmp_path, version)
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        check(client, 2)
        shutil.rmtree(tmp_path / "small" / "2")
        assert server.wait_for("model unloaded")["version"] == 2
        check(client, 1)
        shutil.rmtree(tmp_path / "small")
        assert "is gone; the version stays" in server.wait_for("repository problem")["message"]
        check(client, 1)
        check_until(lambda: "is gone" in only(client).versions[0].error)
        publish(tmp_path, 1)
        check_until(lambda: only(client).versions[0].error == "")
        check(client, 1)


def test_start_passes_over_what_is_bad(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    for name, version in (("small", 2), ("other", 1)):
        folder = tmp_path / name / str(version)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"no model")
    with (
        start_server(tmp_path, "--default-model", "small") as server,
        Client(server.grpc_address) as client,
    ):
        check(client, 1)
        other, small = client.list_models()
        assert [version.is_loaded for version in small.versions] == [True, False]
        assert (other.default_version, other.versions[0].is_loaded) == (0, False)
        assert "can load" in other.versions[0].error
        with pytest.raises(ModelNotFound, match="'other' is not loaded; name one of: small"):
            client.predict(IMAGE, model="other")


def test_hangup_tries_failed_versions_again(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    folder = tmp_path / "small" / "2"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"no model")
    with start_server(tmp_path, "--watch", "off") as server, Client(server.grpc_address) as client:
        for _ in range(2):
            server.process.send_signal(signal.SIGHUP)
            assert server.wait_for("model not loaded")["version"] == 2
        check(client, 1)
        assert states(client) == {1: True, 2: False}
