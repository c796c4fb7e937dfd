"""RepositoryIndex: every version in the repository, and what became of it, at any moment."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from harness.calls import ask, violation
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from server.errors import NotReady, TooLarge
from server.models.repository import Models
from server.models.served import Served
from server.rpc.inference.index import MAX_ENTRIES, Index
from tests.server.faults import HELD, HOLD, write_faults
from tests.server.rpc.repository_calls import TOKENS, load, unload
from tests.server.versions import publish

Request = protocol.RepositoryIndexRequest
LOADING = ("LOADING", "it is being loaded, or will be next")
READY = ("READY", "")

Entries = dict[tuple[str, str], tuple[str, str]]


def index(channel: grpc.Channel, *, ready: bool = False) -> Entries:
    """The state of each version and its reason, in the order of the answer."""
    answer = ask(channel, "RepositoryIndex", Request(ready=ready), protocol.RepositoryIndexResponse)
    return {(one.name, one.version): (one.state, one.reason) for one in answer.models}


def states(channel: grpc.Channel) -> dict[tuple[str, str], str]:
    return {key: state for key, (state, _) in index(channel).items()}


def hold(repository: Path, name: str, version: int) -> Path:
    """Add a version whose load lasts until its HOLD is gone; returns its folder."""
    folder = publish(repository / "elsewhere", version, name).parent
    (folder / HOLD).touch()
    (repository / name).mkdir(exist_ok=True)
    return folder.rename(repository / name / str(version))


def test_each_version_has_a_state_and_a_reason(tmp_path: Path, lane: bool) -> None:
    for version in (1, 2, 10):
        publish(tmp_path, version)
    publish(tmp_path, 7, "other")
    bad = tmp_path / "other" / "8" / "model.onnx"
    bad.parent.mkdir()
    bad.write_text("no model")
    large = tmp_path / "large" / str(10**20)
    shutil.copytree(tmp_path / "small" / "1", large)
    (tmp_path / "empty").mkdir()
    arguments = ("--versions", "latest 1; other: 7, 8", "--labels", "small: stable 1")
    with (
        start_server(tmp_path, *arguments, "--default-model", "small", *mode(lane)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        found = index(channel)
        ready = {("other", "7"): READY, ("small", "1"): READY, ("small", "10"): READY}
        assert index(channel, ready=True) == ready
        assert list(found) == [
            *(("large", ""), ("other", "7"), ("other", "8")),
            *(("small", "1"), ("small", "2"), ("small", "10")),
        ]
        assert found.items() >= ready.items()
        assert found["small", "2"] == (
            "UNAVAILABLE",
            "--versions (latest 1) does not include it, and no label points to it",
        )
        state, reason = found["other", "8"]
        assert (state, str(bad) in reason) == ("UNAVAILABLE", True)
        state, reason = found["large", ""]
        assert (state, f"has the version {10**20}, larger than" in reason) == (
            *("UNAVAILABLE", True),
        )


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A repository of one version, and the variables of a server that obeys `HOLD`."""
    publish(tmp_path / "models", 1)
    return tmp_path / "models", {"PYTHONPATH": write_faults(tmp_path / "faults")}


def test_what_is_being_loaded_is_told_and_what_is_next(
    faulty: tuple[Path, dict[str, str]],
) -> None:
    repository, variables = faulty
    with (
        start_server(repository, "--watch", "off", **variables) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        assert index(channel) == {("small", "1"): READY}
        held = hold(repository, "first", 1)
        publish(repository, 2)
        assert index(channel) == {("small", "1"): READY}, "the disk is not read for the answer"
        server.process.send_signal(signal.SIGHUP)
        wait_for((held / HELD).exists)
        loading = {
            ("first", "1"): LOADING,
            ("small", "1"): READY,
            ("small", "2"): LOADING,
        }
        assert index(channel) == loading
        assert index(channel, ready=True) == {("small", "1"): READY}
        (held / HOLD).unlink()
        wait_for(lambda: index(channel).get(("first", "1")) == READY)
        assert states(channel) == {
            ("first", "1"): "READY",
            ("small", "1"): "UNAVAILABLE",
            ("small", "2"): "READY",
        }


def test_versions_that_are_loaded_again_say_so(faulty: tuple[Path, dict[str, str]]) -> None:
    repository, variables = faulty
    file = repository / "small" / "1" / "model.onnx"
    with (
        start_server(repository, "--watch", "off", **variables) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):

        def reload_held(change: Callable[[], object]) -> None:
            (file.parent / HELD).unlink(missing_ok=True)
            (file.parent / HOLD).touch()
            change()
            server.process.send_signal(signal.SIGHUP)
            wait_for((file.parent / HELD).exists)

        reload_held(lambda: file.write_text("damaged"))
        again = ("READY", "its file has changed and is being loaded again")
        assert index(channel) == {("small", "1"): again}
        (file.parent / HOLD).unlink()
        server.wait_for("model not loaded")
        wait_for(lambda: index(channel)["small", "1"] != again)
        state, reason = index(channel)["small", "1"]
        assert (state, str(file) in reason) == ("READY", True), "the previous content is served"
        # A version that has failed is tried again with each request.
        broken = repository / "small" / "2" / "model.onnx"
        broken.parent.mkdir()
        shutil.copy(file, broken)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: states(channel).get(("small", "2")) == "UNAVAILABLE")
        (broken.parent / HOLD).touch()
        server.process.send_signal(signal.SIGHUP)
        wait_for((broken.parent / HELD).exists)
        assert index(channel)["small", "2"] == LOADING
        (broken.parent / HOLD).unlink()


def test_unloaded_models_are_told_and_loaded_ones_too(tmp_path: Path, lane: bool) -> None:
    models, tokens = tmp_path / "models", tmp_path / "tokens"
    tokens.write_text(TOKENS)
    for name, version in (("kept", 1), ("other", 1), ("other", 2), ("gone", 1)):
        publish(models, version, name)
    arguments = ("--watch", "off", "--admin-tokens-file", str(tokens), "--default-model", "kept")
    with (
        start_server(models, *arguments, *mode(lane)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        before = index(channel)
        assert before["other", "1"][0] == "UNAVAILABLE"
        unload(channel, "other")
        unloaded = ("UNAVAILABLE", "unloaded")
        others = {key: entry for key, entry in before.items() if key[0] != "other"}
        assert index(channel) == others | dict.fromkeys([("other", "1"), ("other", "2")], unloaded)
        shutil.rmtree(models / "gone")
        unload(channel, "gone")
        assert index(channel)["gone", ""] == unloaded
        load(channel, "other")
        again = index(channel)
        assert {key: again[key] for key in before if key[0] != "gone"} == {
            key: entry for key, entry in before.items() if key[0] != "gone"
        }


@pytest.mark.parametrize("name", ["models", "x" * 10_000])
def test_there_is_one_repository_without_a_name(
    each_server: ServerProcess, each_channel: grpc.Channel, name: str
) -> None:
    before = value(each_server, "mlpserve_rejected_requests_total", reason="repository")
    request = Request(repository_name=name)
    with pytest.raises(grpc.RpcError, match="there is only one, so leave it empty") as caught:
        ask(each_channel, "RepositoryIndex", request, protocol.RepositoryIndexResponse)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value).field == "repository_name"
    after = value(each_server, "mlpserve_rejected_requests_total", reason="repository")
    assert after == before + 1


def test_answers_are_bounded() -> None:
    with pytest.raises(NotReady):
        Index(Served()).repository_index(Request())
    many = {"small": dict.fromkeys(range(1, MAX_ENTRIES + 1), "bad")}
    listed = Index(Served(Models({}, None, many))).repository_index(Request())
    assert len(listed.models) == MAX_ENTRIES
    one_more = Index(Served(Models({}, None, many, {"other": {1: "old"}})))
    with pytest.raises(TooLarge, match="more versions than the 10000 that an answer lists; ask"):
        one_more.repository_index(Request())
    assert not one_more.repository_index(Request(ready=True)).models
