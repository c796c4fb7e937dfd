"""A server of several workers, from whose repository models go: all workers agree, at any time."""

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.callers import OWN_CONNECTION
from harness.calls import error_info, predict_method, raw_method
from harness.scrape import by_worker
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve import Client, ModelNotFound
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.faults import SLOW, Runs
from tests.server.versions import IMAGE, described, publish

WORKERS = 3
KEPT, DEFAULT = "kept", "usual"
READY = "/inference.GRPCInferenceService/ModelReady"


@dataclass(frozen=True, slots=True)
class Repository:
    """A server that watches a repository."""

    folder: Path
    server: ServerProcess

    def remove(self, name: str) -> None:
        shutil.rmtree(self.folder / name)

    def served(self, name: str) -> dict[str, float]:
        """How many versions of a model each worker has, by its number."""
        return by_worker(self.server, "mlpserve_model_info", model=name)

    def wait_until(self, name: str, *, is_served: bool) -> None:
        """Wait until all workers have a model, or none has."""
        numbers = dict.fromkeys(map(str, range(WORKERS)), 1.0) if is_served else {}
        wait_for(lambda: self.served(name) == numbers)

    def answers(self, name: str) -> set[str]:
        """What many connections, which all workers share, get of a model."""
        found = set()
        for _ in range(8 * WORKERS):
            with Client(self.server.grpc_address, options=OWN_CONNECTION) as client:
                try:
                    found.add(client.predict(IMAGE, model=name).model)
                except ModelNotFound as error:
                    found.add(str(error))
        return found

    def replace_a_worker(self) -> None:
        """Kill a worker, and wait for the one that takes its place."""
        ready = len(self.lines("worker ready"))
        os.kill(self.server.workers[0], signal.SIGKILL)
        wait_for(lambda: len(self.lines("worker ready")) > ready)

    def lines(self, event: str) -> list[dict[str, object]]:
        return [line for line in list(self.server.log) if line["event"] == event]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, runs: Runs) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("retired") / "models"
    for name in (KEPT, DEFAULT):
        publish(folder, 1, name)
    settings = ("--workers", str(WORKERS), "--default-model", DEFAULT)
    named = ("--labels", "leaving: stable 1", "--traffic", "leaving: 1 100")
    shadow = ("--shadow", "leaving: stable 50")
    with start_server(folder, *settings, *named, *shadow, **runs.variables) as server:
        yield Repository(folder, server)


def test_a_model_is_retired_by_all_workers_and_by_those_that_come_later(own: Repository) -> None:
    publish(own.folder, 1, "leaving")
    own.wait_until("leaving", is_served=True)
    assert own.answers("leaving") == {"leaving"}
    own.remove("leaving")
    own.wait_until("leaving", is_served=False)
    gone = {f"model: model 'leaving' is not loaded; name one of: {KEPT}, {DEFAULT}"}
    assert {answer.partition(" (")[0] for answer in own.answers("leaving")} == gone
    own.replace_a_worker()
    assert {answer.partition(" (")[0] for answer in own.answers("leaving")} == gone
    # Nothing of it is left, neither on pages nor in metrics that describe versions.
    with grpc.insecure_channel(own.server.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            predict_method(channel)(PredictRequest(model="leaving").SerializeToString(), timeout=60)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert error_info(caught.value).reason == "MODEL_NOT_FOUND"
        assert error_info(caught.value).metadata["models"] == f"{KEPT}, {DEFAULT}"
        request = protocol.ModelReadyRequest(name="leaving").SerializeToString()
        answer = protocol.ModelReadyResponse.FromString(raw_method(channel, READY)(request))
        assert not answer.ready
    page = httpx.get(f"http://{own.server.http_address}/v2/models/leaving/ready", timeout=60)
    assert page.status_code in (400, 404, 503)
    with Client(own.server.grpc_address) as client:
        assert {model.name for model in client.list_models()} == {KEPT, DEFAULT}
    wait_for(lambda: not described(own.server, "leaving"))
    publish(own.folder, 2, "leaving")
    own.wait_until("leaving", is_served=True)
    assert own.answers("leaving") == {"leaving"}
    own.remove("leaving")
    own.wait_until("leaving", is_served=False)


def test_calls_in_progress_are_answered(own: Repository, runs: Runs) -> None:
    publish(own.folder, 1, SLOW)
    own.wait_until(SLOW, is_served=True)
    with grpc.insecure_channel(own.server.grpc_address) as channel:
        with runs.held():
            request = PredictRequest(model=SLOW, pixels=IMAGE[0]).SerializeToString()
            calls = [predict_method(channel).future(request, timeout=120) for _ in range(3)]
            runs.wait_until_begun()
            own.remove(SLOW)
            own.wait_until(SLOW, is_served=False)
            with pytest.raises(grpc.RpcError) as caught:
                predict_method(channel)(request, timeout=60)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert not any(call.done() for call in calls)
        assert {call.result().model for call in calls} == {SLOW}
    wait_for(
        lambda: (
            len([line for line in own.lines("model released") if line["model"] == SLOW]) == WORKERS
        )
    )


def test_the_default_model_may_go_and_come_back(own: Repository) -> None:
    own.remove(DEFAULT)
    own.wait_until(DEFAULT, is_served=False)
    told = "no model is named, and the default 'usual' is not loaded; name one of: kept"
    assert all(told in answer for answer in own.answers(""))
    own.replace_a_worker()
    own.wait_until(KEPT, is_served=True)
    assert all(told in answer for answer in own.answers(""))
    with Client(own.server.grpc_address) as client:
        assert not any(model.is_default for model in client.list_models())
    publish(own.folder, 2, DEFAULT)
    own.wait_until(DEFAULT, is_served=True)
    assert own.answers("") == {DEFAULT}


def test_a_server_without_models_is_ready_for_the_next(own: Repository) -> None:
    contents = [path for path in own.folder.iterdir() if not path.name.startswith(".")]
    for path in contents:
        shutil.rmtree(path)
    for path in contents:
        own.wait_until(path.name, is_served=False)
    assert all("no other is loaded" in answer for answer in own.answers(KEPT))
    with grpc.insecure_channel(own.server.grpc_address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        request = health_pb2.HealthCheckRequest(service="mlpserve.v1.Classifier")
        assert check(request, timeout=60).status == health_pb2.HealthCheckResponse.SERVING
    with Client(own.server.grpc_address) as client:
        assert not client.list_models()
    for name in (KEPT, DEFAULT):
        publish(own.folder, 3, name)
        own.wait_until(name, is_served=True)
    assert own.answers("") == {DEFAULT}


def test_an_empty_folder_in_place_of_the_repository_retires_nothing(own: Repository) -> None:
    away = own.folder.with_name("away")
    failed = len(own.lines("reload failed, the previous content stays in use"))
    own.folder.rename(away)
    own.folder.mkdir()
    try:
        own.server.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: (
                len(own.lines("reload failed, the previous content stays in use"))
                >= failed + WORKERS
            )
        )
        assert own.answers(KEPT) == {KEPT}
        own.wait_until(KEPT, is_served=True)
    finally:
        own.folder.rmdir()
        away.rename(own.folder)
