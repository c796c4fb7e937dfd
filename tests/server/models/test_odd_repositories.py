"""Odd files, names and loads in the repository of a server that goes on answering."""

import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from exporter.export import graph
from harness.calls import predict, reload
from harness.networks import random_network
from harness.scrape import value
from harness.server_process import ROOT, ServerProcess, command, environment, start_server
from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import Client
from mlpserve.v1 import classifier_pb2
from modelfile.layout import MAX_VERSION
from server.models import watcher
from tests.server.faults import HELD, HOLD, KILL, write_faults
from tests.server.models.odd_models import endless_loop, fixed_batch, one_row, second_input
from tests.server.versions import IMAGE, check, infer, publish, states

PATIENT = ("--stop-grace-seconds", "200")
"""For servers on a busy machine, whose workers are not killed while a test waits for them."""

WORKER_KILLED = "worker killed, because it did not exit"

TOKEN = "a-token-for-those-who-administer"


@dataclass(frozen=True, slots=True)
class Served:
    """A server with its repository, a client, and a channel for what the client can't say."""

    repository: Path
    server: ServerProcess
    client: Client
    channel: grpc.Channel

    def models_error(self) -> str:
        """Reload, and return what is said of the models, once that is known."""
        error = watcher.GOES_ON
        while watcher.GOES_ON in error:
            (error,) = (p.error for p in reload(self.channel, TOKEN).parts if p.name == "models")
        return error

    def is_successful(self) -> bool:
        """Whether the last reload of the models was, by its metric."""
        return value(self.server, "mlpserve_last_reload_successful", part="models") == 1

    def reloads(self, outcome: str) -> float:
        labels = {"part": "models", "outcome": outcome}
        return value(self.server, "mlpserve_reloads_total", **labels)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    repository = tmp_path_factory.mktemp("models") / "models"
    publish(repository, 1)
    tokens = repository.parent / "tokens"
    tokens.write_text(f"boss: {TOKEN}\n")
    tokens.chmod(0o600)
    with (
        start_server(repository, "--admin-tokens-file", str(tokens)) as server,
        Client(server.grpc_address) as client,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        yield Served(repository, server, client, channel)


def put(served: Served, version: int) -> Path:
    """Make a version's folder, and return where its model goes."""
    folder = served.repository / "small" / str(version)
    folder.mkdir()
    return folder / "model.onnx"


def changed_model(change: str) -> bytes:
    model = graph.build(random_network((4, 5, 3), seed=2))
    {"loop": endless_loop, "batch": fixed_batch, "row": one_row, "input": second_input}[change](
        model
    )
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pipe", "not_a_file"),
        ("endless", "not_a_file"),
        ("folder", "not_a_file"),
        ("huge", "too_large"),
        ("loop", "operators"),
        ("row", "operators"),
        ("batch", "signature"),
        ("input", "signature"),
    ],
)
def test_what_can_not_be_loaded_is_told_and_holds_up_nothing(
    served: Served, kind: str, reason: str
) -> None:
    failed = served.reloads("failed")
    version = 2
    path = put(served, version)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        case _:
            path.write_bytes(changed_model(kind))
    # Found by itself, or by the call.
    error = served.models_error()
    assert f"{path} " in error
    check(served.client, 1)
    wait_for(lambda: states(served.client) == {1: True, 2: False})
    assert served.reloads("failed") > failed
    assert not served.is_successful()
    labels = {"model": "small", "reason": reason}
    assert value(served.server, "mlpserve_model_load_failures_total", **labels) >= 1
    assert "Traceback" not in str([line.get("exception") for line in served.server.log])
    # What comes later is loaded, and what has been bad is so no more.
    publish(served.repository, 3)
    wait_for(lambda: states(served.client).get(3) is True)
    wait_for(served.is_successful)
    check(served.client, 3)
    for number in (2, 3):
        shutil.rmtree(served.repository / "small" / str(number))
    assert served.models_error() == ""
    wait_for(lambda: states(served.client) == {1: True})
    assert served.is_successful()


def test_a_repository_that_is_gone_is_no_success(served: Served) -> None:
    away = served.repository.with_name("away")
    served.repository.rename(away)
    try:
        assert "is not a folder" in served.models_error()
        assert not served.is_successful()
        check(served.client, 1)
        failed = served.reloads("failed")
        served.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: served.reloads("failed") == failed + 1)
    finally:
        away.rename(served.repository)
    assert served.models_error() == ""
    assert served.is_successful()


def test_odd_names_hide_no_metrics_and_no_models(served: Served) -> None:
    whole = served.repository / "small" / "1" / "model.onnx"
    odd = [
        served.repository / "small" / "20241231235959123456789",
        Path(os.fsdecode(os.fsencode(served.repository) + b"/caf\xe9/1")),
        Path(os.fsdecode(os.fsencode(served.repository) + b"/line\nbreak/1")),
        Path(os.fsdecode(os.fsencode(served.repository) + b"/small/\xff")),
    ]
    for folder in odd:
        folder.mkdir(parents=True)
        shutil.copy(whole, folder)
    try:
        assert "has the version 20241231235959123456789, larger than the maximum" in (
            served.models_error()
        )
        assert states(served.client) == {0: False, 1: True}
        said = [
            line["message"] for line in served.server.log if line["event"] == "repository problem"
        ]
        for word in ("20241231235959123456789", "caf", "break", "small/\ufffd"):
            assert len([message for message in said if word in message]) == 1
        with urllib.request.urlopen(f"http://{served.server.http_address}/metrics") as page:
            assert page.status == 200
        check(served.client, 1)
    finally:
        for folder in (odd[0], odd[1].parent, odd[2].parent, odd[3]):
            shutil.rmtree(folder)
    assert served.models_error() == ""


def test_the_largest_version_can_be_named_everywhere(tmp_path: Path) -> None:
    publish(tmp_path, 7)
    source = publish(tmp_path / "other", 1).parent
    shutil.copytree(source, tmp_path / "small" / str(MAX_VERSION))
    largest = str(MAX_VERSION)
    settings = ["--versions", f"7, {largest}", "--labels", f"small: top {largest}"]
    settings += ["--traffic", f"small: {largest} 1"]
    with (
        start_server(tmp_path, *settings) as server,
        Client(server.grpc_address) as client,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for named in ({"version": MAX_VERSION}, {"label": "top"}, {}):
            assert client.predict(IMAGE, **named).version == MAX_VERSION
        request = classifier_pb2.PredictRequest(pixels=[0.5] * 4, version=MAX_VERSION)
        assert predict(channel, request).version == MAX_VERSION
        assert infer(channel, "top").model_version == largest
        assert value(server, "mlpserve_images_total", version=largest) >= 5


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A repository of one version, and the variables of a server that obeys `HOLD` and `KILL`."""
    publish(tmp_path / "models", 1)
    return tmp_path / "models", {"PYTHONPATH": write_faults(tmp_path / "faults")}


def add(repository: Path, version: int, fault: str) -> Path:
    """Add a version that holds or kills its reader; returns its folder."""
    folder = publish(repository / "elsewhere", version).parent
    (folder / fault).touch()
    return folder.rename(repository / "small" / str(version))


def test_a_file_that_kills_its_reader_is_not_tried_again(
    faulty: tuple[Path, dict[str, str]],
) -> None:
    repository, variables = faulty
    with start_server(repository, **variables) as server, Client(server.grpc_address) as client:
        folder = add(repository, 2, KILL)
        assert "while it loaded small 2" in server.wait_for("worker ended")["error"]
        refused = server.wait_for("model not loaded")
        assert (refused["version"], refused["reason"]) == (2, "crashed")
        server.wait_for("worker ready")
        check(client, 1)
        assert states(client) == {1: True, 2: False}
        assert value(server, "mlpserve_last_reload_successful", part="models") == 0
        (folder / KILL).unlink()
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: states(client) == {2: True})
        check(client, 2)


def test_a_load_in_progress_holds_up_neither_calls_nor_the_stop(
    faulty: tuple[Path, dict[str, str]],
) -> None:
    repository, variables = faulty
    with (
        start_server(repository, *PATIENT, **variables) as server,
        Client(server.grpc_address) as client,
    ):
        folder = add(repository, 2, HOLD)
        wait_for((folder / HELD).exists)
        # Nor does it hold up the next order.
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloading")
        check(client, 1)
        assert server.terminate() == 0
        events = [line["event"] for line in server.log]
        assert WORKER_KILLED not in events
        assert events[-1] == "stopped"


def test_a_stop_does_not_wait_for_the_first_load(faulty: tuple[Path, dict[str, str]]) -> None:
    repository, variables = faulty
    folder = repository / "small" / "1"
    (folder / HOLD).touch()
    process = subprocess.Popen(
        command("--repository", str(repository), *PATIENT),
        cwd=ROOT,
        env=environment(**variables),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for((folder / HELD).exists)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert WORKER_KILLED not in said
