"""Models are loaded and unloaded by call, on all workers, and no other call suffers."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness.callers import OWN_CONNECTION, calling
from harness.calls import error_info, reload, violation
from harness.scrape import by_worker
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve import Client, ModelNotFound
from mlpserve.inference import open_inference_pb2 as protocol
from tests.server.faults import HELD, HOLD, write_faults
from tests.server.modes import ON_THE_LANE
from tests.server.rpc.repository_calls import (
    TOKEN,
    TOKENS,
    connections,
    load,
    statistics,
    unload,
)
from tests.server.versions import IMAGE, answer_of, publish

Parameter = protocol.ModelRepositoryParameter
KEPT = "kept"
"""A model that no test touches."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A server of two workers that does not watch its repository, and connections to both."""

    folder: Path
    server: ServerProcess
    channels: list[grpc.Channel]

    @property
    def channel(self) -> grpc.Channel:
        return self.channels[0]

    def versions(self, name: str) -> set[int]:
        """The versions of a model that connections get; 0 for NOT_FOUND."""
        found = set()
        for _ in range(16):
            with Client(self.server.grpc_address, options=OWN_CONNECTION) as client:
                try:
                    found.add(client.predict(IMAGE, model=name).version)
                except ModelNotFound as error:
                    words = str(error)
                    found.add(0 if "is unloaded; load it with RepositoryModelLoad" in words else -1)
        return found


@pytest.fixture(scope="module")
def own(lane: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("repository")
    models, tokens = folder / "models", folder / "tokens"
    tokens.write_text(TOKENS)
    tokens.chmod(0o600)
    publish(models, 1, KEPT)
    options = ("--workers", "2", "--watch", "off", "--admin-tokens-file", str(tokens))
    variables = {"PYTHONPATH": write_faults(folder / "faults")}
    arguments = (*options, "--default-model", KEPT, *mode(lane))
    with (
        start_server(models, *arguments, **variables) as server,
        connections(server.grpc_address) as channels,
    ):
        yield Repository(models, server, channels)


def test_a_model_comes_changes_goes_and_comes_back_on_all_workers(own: Repository) -> None:
    for channel, version in zip(own.channels, (1, 2, 3), strict=False):
        publish(own.folder, version, "one")
        for _ in range(2):
            load(channel, "one")
        assert own.versions("one") == {version}
    for _ in range(2):
        unload(own.channel, "one")
        assert own.versions("one") == {0}
    load(own.channel, "one")
    assert own.versions("one") == {3}
    assert by_worker(own.server, "mlpserve_model_info", model="one") == {"0": 1, "1": 1}


def test_only_the_model_that_is_named_is_looked_at(own: Repository) -> None:
    publish(own.folder, 1, "named")
    publish(own.folder, 1, "other")
    load(own.channel, "named")
    with Client(own.server.grpc_address) as client:
        names = {model.name for model in client.list_models()}
    assert "named" in names
    assert "other" not in names
    publish(own.folder, 2, KEPT)
    load(own.channel, "named")
    assert own.versions(KEPT) == {1}
    (own.folder / KEPT / "2" / "model.onnx").unlink()


def test_a_reload_leaves_it_unloaded(own: Repository) -> None:
    publish(own.folder, 1, "left")
    load(own.channel, "left")
    unload(own.channel, "left")
    reload(own.channel, TOKEN)
    own.server.process.send_signal(signal.SIGHUP)
    for _ in range(2):
        own.server.wait_for("reloading")
    reload(own.channel, TOKEN)
    assert own.versions("left") == {0}


def test_its_counts_begin_anew(own: Repository) -> None:
    publish(own.folder, 1, "counted")
    load(own.channel, "counted")
    assert own.versions("counted") == {1}
    (counted,) = statistics(own.channel, "counted").values()
    assert counted.inference_count == 16
    unload(own.channel, "counted")
    with pytest.raises(grpc.RpcError, match="model 'counted' is unloaded"):
        statistics(own.channel, "counted")
    load(own.channel, "counted")
    (counted,) = statistics(own.channel, "counted").values()
    assert (counted.inference_count, counted.execution_count) == (0, 0)


def test_the_default_model_can_be_unloaded(own: Repository) -> None:
    with Client(own.server.grpc_address) as client:
        unload(own.channel, KEPT)
        try:
            with pytest.raises(ModelNotFound, match=f"model '{KEPT}' is unloaded"):
                client.predict(IMAGE)
        finally:
            load(own.channel, KEPT)
        assert client.predict(IMAGE).model == KEPT


def test_a_file_that_can_not_be_served_is_told_and_replaces_nothing(own: Repository) -> None:
    publish(own.folder, 1, "bad")
    load(own.channel, "bad")
    file = publish(own.folder, 2, "bad")
    good = file.read_bytes()
    file.write_bytes(b"no model")
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as failed:
            load(own.channel, "bad")
        assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert error_info(failed.value).reason == "LOAD_FAILED"
        words = failed.value.details() or ""
        assert "the load of 'bad' has failed on workers 0, 1: " in words
        assert "bad/2/model.onnx" in words
        assert "correct the files and load it again" in words
        assert own.versions("bad") == {1}
    file.write_bytes(good)
    load(own.channel, "bad")
    assert own.versions("bad") == {2}


@pytest.mark.parametrize("call", [load, unload])
def test_what_is_not_known(own: Repository, call: Any) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(own.channel, "../letters")
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert error_info(failed.value).reason == "MODEL_NOT_FOUND"
    assert KEPT in error_info(failed.value).metadata["models"]
    assert "model_name: there is no" in (failed.value.details() or "")


@pytest.mark.parametrize(
    ("call", "fields", "field", "words"),
    [
        (load, {"parameters": {"config": Parameter(string_param="{}")}}, "parameters", "'config'"),
        (
            load,
            {"parameters": {"file:1/model.onnx": Parameter(bytes_param=b"x")}},
            "parameters",
            "'file:1/model.onnx' is not known; load without parameters",
        ),
        (unload, {"parameters": {"force": Parameter(bool_param=True)}}, "parameters", "'force'"),
        (
            unload,
            {"parameters": {"unload_dependents": Parameter(string_param="yes")}},
            "parameters",
            "unload_dependents is not true or false",
        ),
        (load, {"repository_name": "mine"}, "repository_name", "no repository 'mine'"),
        (unload, {"repository_name": "mine"}, "repository_name", "no repository 'mine'"),
        (load, {"name": ""}, "model_name", "name the model"),
        (unload, {"name": ""}, "model_name", "name the model"),
    ],
)
def test_what_is_asked_for_in_vain_is_refused(
    own: Repository, call: Any, fields: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError, match=words) as failed:
        call(own.channel, **({"name": KEPT} | fields))
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation(failed.value).field == field
    assert own.versions(KEPT) == {1}


def test_dependents_are_taken(own: Repository) -> None:
    publish(own.folder, 1, "alone")
    load(own.channel, "alone")
    parameters = {"unload_dependents": Parameter(bool_param=True)}
    unload(own.channel, "alone", parameters=parameters)
    assert own.versions("alone") == {0}


@pytest.mark.parametrize("call", [load, unload])
@pytest.mark.parametrize("token", ["", "caller-0123456789abcdef"])
def test_it_needs_an_admin_token(own: Repository, call: Any, token: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(own.channel, KEPT, token=token)
    assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert own.versions(KEPT) == {1}


@ON_THE_LANE
def test_a_load_holds_up_nobody_and_those_behind_it_follow_in_order(
    own: Repository,
) -> None:
    publish(own.folder, 1, "held")
    folder = publish(own.folder, 2, "held").parent
    (folder / HOLD).touch()
    loading = threading.Thread(target=load, args=(own.channel, "held"))
    unloading = threading.Thread(target=unload, args=(own.channels[1], KEPT))
    loading.start()
    try:
        wait_for((folder / HELD).exists)
        for channel in own.channels:
            assert (KEPT, "1") in statistics(channel)
        assert own.versions(KEPT) == {1}
        unloading.start()
        with Client(own.server.grpc_address) as client:
            assert client.list_models()
    finally:
        (folder / HOLD).unlink()
    loading.join()
    unloading.join()
    assert own.versions("held") == {2}
    assert own.versions(KEPT) == {0}
    load(own.channel, KEPT)


@ON_THE_LANE
def test_no_call_is_lost_while_models_come_and_go(own: Repository) -> None:
    publish(own.folder, 1, "busy")
    load(own.channel, "busy")

    def ask(client: Client) -> bool:
        answer = client.predict(IMAGE, model=KEPT)
        with contextlib.suppress(ModelNotFound):
            client.predict(IMAGE, model="busy")
        return bool(abs(answer.activations - answer_of(1)).max() < 1e-5)

    def connect() -> Client:
        return Client(own.server.grpc_address, options=OWN_CONNECTION)

    with calling(connect, ask, callers=4, pause_seconds=0.0) as counts:
        for _ in range(5):
            unload(own.channel, "busy")
            counts.go_on(20)
            load(own.channel, "busy")
            counts.go_on(20)
    counts.check()


@ON_THE_LANE
def test_new_workers_serve_what_the_others_do(own: Repository) -> None:
    publish(own.folder, 1, "gone")
    load(own.channel, "gone")
    unload(own.channel, "gone")
    server = own.server
    os.kill(server.workers[0], signal.SIGKILL)
    server.wait_for("worker ready")
    assert own.versions("gone") == {0}
    server.process.send_signal(signal.SIGUSR2)
    server.wait_for("rolling restart done")
    assert own.versions("gone") == {0}
    with connections(server.grpc_address, 1) as (channel,):
        load(channel, "gone")
    assert own.versions("gone") == {1}


@pytest.mark.parametrize("call", [load, unload])
def test_without_admin_tokens_there_is_no_such_method(server: ServerProcess, call: Any) -> None:
    with (
        grpc.insecure_channel(server.grpc_address) as channel,
        pytest.raises(grpc.RpcError) as failed,
    ):
        call(channel, "digits")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_repository_that_is_watched_is_changed_by_its_files(tmp_path: Path) -> None:
    models, tokens = tmp_path / "models", tmp_path / "tokens"
    publish(models, 1)
    tokens.write_text(TOKENS)
    tokens.chmod(0o600)
    with (
        start_server(models, "--admin-tokens-file", str(tokens)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for call in (load, unload):
            with pytest.raises(grpc.RpcError, match="start it with --watch off") as failed:
                call(channel, "small")
            assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert error_info(failed.value).reason == "WATCHED"
        with Client(server.grpc_address) as client:
            assert client.predict(IMAGE).version == 1
