"""What is damaged, half copied or gone replaces nothing that is served."""

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from harness.networks import random_network
from harness.scrape import value
from harness.server_process import start_server
from harness.waiting import wait_for
from mlpserve import Client, ModelNotFound
from tests.server.versions import IMAGE, Own, answer_of, publish


@pytest.mark.parametrize("fault", ["half", "weights", "foreign"])
def test_bad_version_replaces_nothing_and_is_tried_again(
    own: Own, tmp_path: Path, fault: str
) -> None:
    whole = publish(tmp_path, 2, own.name).read_bytes()
    bad = {
        "half": whole[: len(whole) // 2],
        "weights": damaged_weights(whole),
        "foreign": whole.replace(b"mlpserve/1", b"mlpserve/9"),
    }[fault]
    reason = {"half": "not_loadable", "weights": "golden_examples", "foreign": "format"}[fault]
    file = own.folder / "2" / "model.onnx"
    file.parent.mkdir()
    file.write_bytes(bad)
    refused = own.wait_for("model not loaded")
    assert (refused["version"], refused["reason"]) == (2, reason)
    wait_for(lambda: own.states() == {1: True, 2: False})
    own.check(1)
    assert own.describe().versions[1].error == refused["message"]
    assert own.describe().default_version == 1
    failures = {"model": own.name, "reason": reason}
    assert value(own.server, "mlpserve_model_load_failures_total", **failures) >= 1
    file.write_bytes(whole)
    assert own.wait_for("model unloaded")["version"] == 1
    own.check(2)
    assert own.states() == {2: True}


def damaged_weights(content: bytes) -> bytes:
    """The content with other biases, which a checker of the format does not notice."""
    biases = random_network((4, 5, 3), seed=2).layers[0].biases
    assert content.count(biases.tobytes()) == 1
    return content.replace(biases.tobytes(), (biases + 1).tobytes())


def test_file_replaced_in_place(own: Own, tmp_path: Path) -> None:
    file = own.folder / "1" / "model.onnx"
    other = publish(tmp_path, 2, own.name).read_bytes()
    file.write_bytes(other[:100])
    own.wait_for("model not loaded")
    own.check(1)
    wait_for(lambda: "not a model that" in own.describe().versions[0].error)
    assert own.states() == {1: True}
    file.write_bytes(other)
    own.wait_for("model released")
    prediction = own.client.predict(IMAGE, model=own.name)
    np.testing.assert_allclose(prediction.activations, answer_of(2), atol=1e-6)
    assert own.describe().versions[0].error == ""
    assert own.info() == {"1"}


def test_version_that_vanishes(own: Own) -> None:
    own.publish(2)
    wait_for(lambda: own.states() == {2: True})
    own.check(2)
    shutil.rmtree(own.folder / "2")
    wait_for(lambda: own.states() == {1: True})
    own.check(1)
    # Something else is there that can't be served: rather than nothing, what was there stays.
    (own.folder / "3").mkdir()
    (own.folder / "3" / "model.onnx").write_bytes(b"no model")
    shutil.rmtree(own.folder / "1")
    wait_for(lambda: "is gone" in own.describe().versions[0].error)
    own.check(1)

    def is_said() -> bool:
        said = [line["message"] for line in own.server.log if "repository" in line["event"]]
        return any(own.name in text and "is gone; the version stays" in text for text in said)

    # The log is read by a thread of its own.
    wait_for(is_said)
    own.publish(1)
    wait_for(lambda: own.describe().versions[0].error == "")
    own.check(1)
    shutil.rmtree(own.folder)
    assert own.wait_for("model retired")["message"] == f"{own.folder} no longer holds a version"
    wait_for(lambda: own.states() == {})


def test_what_is_bad_at_the_start_is_passed_over_and_tried_again_when_asked(
    tmp_path: Path,
) -> None:
    publish(tmp_path, 1)
    for name, version in (("small", 2), ("other", 1)):
        folder = tmp_path / name / str(version)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"no model")
    with (
        start_server(tmp_path, "--default-model", "small", "--watch", "off") as server,
        Client(server.grpc_address) as client,
    ):
        own = Own("small", tmp_path, server, client)
        own.check(1)
        other, small = client.list_models()
        assert [version.is_loaded for version in small.versions] == [True, False]
        assert (other.default_version, other.versions[0].is_loaded) == (0, False)
        assert "can load" in other.versions[0].error
        with pytest.raises(ModelNotFound, match="'other' is not loaded; name one of: small"):
            client.predict(IMAGE, model="other")
        for number in (2, 3):
            server.process.send_signal(signal.SIGHUP)
            assert own.wait_for("model not loaded", number)["version"] == 2
        own.check(1)
        assert own.states() == {1: True, 2: False}
        # Nothing else has it look.
        own.publish(3)
        own.publish(4)
        own.check(1)
        server.process.send_signal(signal.SIGHUP)
        assert own.wait_for("model unloaded")["version"] == 1
        own.check(4)
        assert [line["version"] for line in own.lines("model loaded")] == [1, 4]
