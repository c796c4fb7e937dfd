"""Models and versions come and go while the server answers."""

from pathlib import Path

import grpc
import pytest

from harness.calls import error_info, predict_method
from harness.scrape import value
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve import Client, InvalidRequest, ModelNotFound
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import StartupError
from server.models.loader import Loader
from server.models.model import load_model
from server.models.policy import read_policies
from tests.server.faults import SLOW, Runs
from tests.server.versions import IMAGE, Own, check, described, infer, only, owning, publish, states


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
        assert Own("small", tmp_path, server, client).info() == {"1", "3", "4"}
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
        with pytest.raises(ModelNotFound, match=r"no label 'x'; ask for one of its labels, stable"):
            client.predict(IMAGE, label="x")
        with pytest.raises(ModelNotFound, match=r"no version 2 loaded; ask for one of 1, 3, 4"):
            client.predict(IMAGE, version=2)
        with pytest.raises(InvalidRequest, match="version 1 and label 'stable' are both given"):
            client.predict(IMAGE, version=1, label="stable")
        (warning,) = (line for line in server.log if line["event"] == "repository problem")
        assert "small has lost 9, and that version is not loaded" in warning["message"]


def test_each_model_has_its_policy(tmp_path: Path) -> None:
    repository, file = tmp_path / "models", tmp_path / "settings.toml"
    for version in (1, 2, 3):
        publish(repository, version)
        publish(repository, version, "other")
    file.write_text('[versions]\n"*" = "latest 1"\nsmall = [1, 3]\n[labels.other]\nold = 2\n')
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
    with pytest.raises(StartupError, match="small should have 7, but the repository"):
        Loader(tmp_path, "", read_policies("7", "", "", ""), load_model).first()
    with pytest.raises(StartupError, match="'stable 0' can't be used"):
        read_policies("", "", "stable 0", "")


def test_new_version_takes_over_and_the_old_one_is_released(own: Own) -> None:
    own.check(1)
    own.publish(2)
    assert own.wait_for("model unloaded")["version"] == 1
    own.check(2)
    assert own.wait_for("model released")["version"] == 1
    with pytest.raises(ModelNotFound, match="has no version 1 loaded"):
        own.client.predict(IMAGE, model=own.name, version=1)
    assert own.states() == {2: True}
    assert own.info() == {"2"}
    assert described(own.server, own.name) == {"2"}
    # What the old one has counted is there for a while yet.
    for version in ("1", "2"):
        assert value(own.server, "mlpserve_images_total", model=own.name, version=version) == 1
    assert value(own.server, "mlpserve_model_loads_total", model=own.name) == 2


def test_new_model_joins_and_the_default_stays(own: Own) -> None:
    own.check(1)
    assert own.client.predict(IMAGE).model == "first"


def test_runs_in_progress_keep_their_version(
    watched: tuple[Path, ServerProcess, Client], runs: Runs
) -> None:
    repository, server, client = watched
    with (
        owning(repository, server, client, SLOW) as own,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        wait_for(lambda: own.states() == {1: True})
        with runs.held():
            request = PredictRequest(model=SLOW, pixels=IMAGE[0]).SerializeToString()
            slow = predict_method(channel).future(request, timeout=120)
            runs.wait_until_begun()
            own.publish(2)
            assert own.wait_for("model unloaded")["version"] == 1
            # The metrics still have it, which a run uses.
            assert own.info() >= {"2"}
            assert not own.lines("model released")
        assert slow.result().version == 1
        own.check(2)
        assert own.wait_for("model released")["version"] == 1
