"""The images, and the stack of docker-compose.yml: one server, and three behind Envoy.

One file, since one process of the tests has the engine.
"""

import functools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import yaml

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import predict_method
from harness.server_process import ROOT
from mlpserve import Client
from mlpserve.errors import ModelNotFound
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.deploy import asked
from tests.deploy.engine import stack as stacks
from tests.deploy.engine.daemon import Engine, EngineError
from tests.deploy.engine.images import TARGETS
from tests.deploy.engine.stack import ALERTMANAGER, GRPC, HTTP, Stack
from tests.documents import pages

pytestmark = pytest.mark.timeout(900)
PAGE = "docs/deploying.md"
SERVER, EXPORTER = TARGETS["server"], TARGETS["exporter"]
MAX_BYTES = 330_000_000

LOOK = """
import importlib.util, json, shutil, sys
import server.worker
programs = ("apt-get", "cc", "gcc", "make", "pip", "pip3")
names = ("ensurepip", "exporter", "grpc", "onnx", "onnxruntime", "pip", "server", "setuptools")
files = {m.__cached__ for m in list(sys.modules.values()) if getattr(m, "__cached__", None)}
found = {
    "programs": [name for name in programs if shutil.which(name)],
    "modules": [name for name in names if importlib.util.find_spec(name)],
    # PEP 552: 1 is a hash that is not checked.
    "compiled": sorted({open(file, "rb").read(8)[4] for file in files}),
}
print(json.dumps(found))
"""

SERVERS = 3
RESTARTS = "mlpserve_worker_restarts_total"
ANSWERED = f'{asked.HANDLED}{{grpc_method="Predict", grpc_code="OK"}}'


@pytest.fixture(scope="module")
def stack(engine: Engine) -> Iterator[Stack]:
    """The stack, which its tests use one after the other, and leave with all servers healthy."""
    with stacks.start(engine, pages.block(PAGE, "up --detach --wait --scale").text) as running:
        yield running


def inspect(engine: Engine, tag: str) -> dict[str, Any]:
    (found,) = json.loads(engine.docker("image", "inspect", tag))
    return dict(found)


def test_the_servers_image_holds_what_runs_and_nothing_that_installs(engine: Engine) -> None:
    look = ("--rm", "--network=none", "--entrypoint=python", SERVER, "-c", LOOK)
    found = json.loads(engine.docker("run", *look))
    # apt-get is the public image's.
    assert set(found["programs"]) <= {"apt-get"}
    assert found["modules"] == ["grpc", "onnxruntime", "server"]
    assert found["compiled"] == [1]
    assert inspect(engine, SERVER)["Size"] < MAX_BYTES


@pytest.mark.parametrize("tag", [SERVER, EXPORTER])
def test_images_say_what_they_are(engine: Engine, tag: str) -> None:
    config = inspect(engine, tag)["Config"]
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    # In the exec form: a shell would keep SIGTERM to itself.
    assert config["Entrypoint"][:2] == ["python", "-m"]
    labels = {name.rpartition(".")[2] for name in config["Labels"]}
    assert labels == {"title", "description", "licenses", "revision"}


def test_the_exporter_runs_as_kubernetes_starts_it(engine: Engine) -> None:
    """With the command, the rights and the memory of its pod, and weights as its input."""
    optional = ROOT / "deploy" / "kubernetes" / "base" / "optional" / "publish.yaml"
    pod = next(yaml.safe_load_all(optional.read_text()))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    program, *arguments = container["command"]
    memory = container["resources"]["limits"]["memory"].removesuffix("i").lower()
    weights = ROOT / "exporter" / "weights" / "digits.npz"

    def sh(commands: str) -> str:
        return engine.run(engine.inside("bash", "-euo", "pipefail", "-c", commands))

    sh(
        "docker run --detach --name exporter --network none --read-only --cap-drop ALL"
        f" --security-opt no-new-privileges --memory {memory} --stop-timeout 1"
        f" --volume pod-models:{mount['mountPath']} --entrypoint {program}"
        f" {EXPORTER} {' '.join(arguments)}"
    )
    try:
        publish = "docker exec -i exporter python -m exporter export --weights - --name digits"
        assert sh(f"{publish} < {weights}") == "models/digits/1/model.onnx\n"
        assert "digits  1        newest" in sh("docker exec exporter python -m exporter list")
        # What pods wait for before the server starts.
        wait = "ls models/*/*/model.onnx && sleep 0"
        assert sh(f"docker exec exporter sh -c '{wait}'") == "models/digits/1/model.onnx\n"
    finally:
        sh("docker rm --force exporter && docker volume rm pod-models")


def test_a_container_runs_as_the_handbook_says(engine: Engine) -> None:
    def sh(commands: str) -> str:
        return engine.run(engine.inside("bash", "-euo", "pipefail", "-c", commands))

    sh(pages.block(PAGE, "docker run --detach").text)
    try:
        status = sh("docker exec mlpserve cat /proc/1/status")
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert lines["CapEff"] == lines["CapBnd"] == "0" * 16
        assert (lines["NoNewPrivs"], lines["Uid"].split()[0]) == ("1", "10001")
        with pytest.raises(EngineError, match="Read-only file system"):
            sh("docker exec mlpserve touch /app/new")
        sh("until docker exec mlpserve python -m server health; do sleep 0.2; done")
        assert sh(pages.block(PAGE, "server health").text) == "ready\n"
        command = inspect(engine, SERVER)["Config"]["Healthcheck"]["Test"]
        assert command == ["CMD", "python", "-m", "server", "health"]
        check_ports_in_use(engine)
        sh("docker stop mlpserve")
        # 137 would be a SIGKILL after the grace.
        assert sh("docker inspect mlpserve --format '{{.State.ExitCode}}'") == "0\n"
    finally:
        sh(pages.block(PAGE, "docker rm mlpserve").text)


def check_ports_in_use(engine: Engine) -> None:
    """Fail unless `make up` says what to do where another container has the ports."""
    stack = stacks.prepare(engine)
    with pytest.raises(EngineError, match="choose another: make up HTTP_PORT=8081") as raised:
        stack.sh("make up BUILD=")
    assert "127.0.0.1:50051" in str(raised.value) or "127.0.0.1:8080" in str(raised.value)
    stack.sh("make down")


def test_one_server_has_the_ports(engine: Engine) -> None:
    seven = (ROOT / "examples" / "digits" / "7.png").read_bytes()
    commands = pages.block(PAGE, "docker compose up --detach --wait\n").text
    with stacks.start(engine, commands) as stack:
        (server,) = stack.servers()
        checks = len(stack.inspect(server)["State"]["Health"]["Log"])
        assert "7.png: 7 " in stack.sh(pages.block(PAGE, "predict examples").text)
        assert stack.get(HTTP, "/readyz").status_code == 200
        asked.check_page(stack, seven)

        def is_checked_again() -> bool:
            return len(stack.inspect(server)["State"]["Health"]["Log"]) > checks

        asked.wait_for(is_checked_again, "its health is asked for again")
        # The picture, by gRPC and by HTTP: health checks predict nothing.
        assert asked.answered(stack, server) == 2
        printed = stack.sh("make up BUILD= TRACES=1 PROMETHEUS_PORT=0").splitlines()
        assert asked.check_addresses(stack, printed) == [*asked.ADDRESSES, "Jaeger"]
        # Jaeger too, of which this command knows nothing.
        stack.sh(pages.block(PAGE, "docker compose down\n").text)
        stack.check_end()


def test_digits_are_answered_by_every_server_and_counted_exactly(
    stack: Stack, digits: tuple[Batch, Labels]
) -> None:
    images, labels = digits
    # One that is watched has a port of its own.
    assert asked.check_addresses(stack, stack.sh("make addresses").splitlines()) == asked.ADDRESSES
    assert [asked.answered(stack, server) for server in stack.servers()] == [0] * SERVERS
    calls = 60
    with Client(stack.address(GRPC)) as client:
        predicted = [client.predict(part).labels for part in np.array_split(images[:1200], calls)]
    right = np.concatenate(predicted) == labels[:1200]
    assert right.mean() > 0.95
    own = [asked.answered(stack, server) for server in stack.servers()]
    assert sum(own) == calls
    assert min(own) > 0
    asked.wait_for(lambda: stack.query(f"sum({ANSWERED})") == calls, "Prometheus has them all")
    assert stack.query('count(up{job="mlpserve"} == 1)') == SERVERS


def test_no_call_fails_when_a_server_is_killed(stack: Stack, digits: tuple[Batch, Labels]) -> None:
    victim = stack.servers()[0]
    before = stack.start_time(victim)
    with asked.under_load(stack, digits) as go_on:
        # Not by the engine, which starts again what ends by itself alone.
        os.kill(stack.inspect(victim)["State"]["Pid"], signal.SIGKILL)
        go_on()
        asked.wait_for(lambda: stack.start_time(victim) != before, "it is started again")
        asked.wait_for(lambda: stack.is_healthy(victim), "it is healthy")
        asked.wait_for(lambda: asked.answered(stack, victim) > 10, "it answers calls again")


def test_no_call_fails_when_all_servers_are_replaced(
    stack: Stack, digits: tuple[Batch, Labels]
) -> None:
    old = stack.servers()
    with asked.under_load(stack, digits) as go_on:
        stack.sh(pages.block(PAGE, "--no-recreate").text)
        new = stack.servers()
        assert len(new) == SERVERS
        assert not set(new) & set(old)
        go_on()
        stack.sh(pages.block(PAGE, "SIGUSR2").text)

        def rolled(server: str) -> bool:
            return asked.counted(stack, server, RESTARTS, reason="rolled") == 1

        for server in new:
            asked.wait_for(functools.partial(rolled, server), "it has another worker")


def test_models_come_and_go_without_a_restart(
    stack: Stack, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    started = [stack.start_time(server) for server in stack.servers()]
    with asked.under_load(stack, digits), Client(stack.address(GRPC)) as client:

        def run(block: pages.Block) -> str:
            return stack.sh(block.text)

        assert run(pages.block(PAGE, "--rm exporter export\n")) == "models/digits/2/model.onnx\n"
        asked.wait_for_version(stack, "digits", 2)
        assert {client.predict(digits[0][:1]).version for _ in range(30)} == {2}
        assert run(pages.block(PAGE, "digits --version newest")) == (
            "retired digits, version 2; version 1 is the newest now\n"
        )
        asked.wait_for_version(stack, "digits", 1)
        assert {client.predict(digits[0][:1]).version for _ in range(30)} == {1}
        assert run(pages.block(PAGE, "--name mine")) == "models/mine/1/model.onnx\n"
        asked.wait_for_version(stack, "mine", 1)
        assert client.predict(digits[0][:1], model="mine").version == 1
        # Calls that name no model still get digits.
        assert client.predict(digits[0][:1]).model == "digits"
        assert run(pages.block(PAGE, "retire mine")).startswith("retired mine, version 1;")
        asked.wait_for_version(stack, "mine", 0)
        with pytest.raises(ModelNotFound, match="model 'mine' is not loaded; name one of: digits"):
            client.predict(digits[0][:1], model="mine")
        assert run(pages.block(PAGE, "restore mine")).startswith("restored mine, version 1;")
        asked.wait_for_version(stack, "mine", 1)
        listed = [line.split()[:3] for line in run(pages.block(PAGE, "exporter list")).splitlines()]
        newest = [["digits", "1", "newest"], ["digits", "2", "retired"], ["mine", "1", "newest"]]
        assert listed[1:] == newest
        run(pages.block(PAGE, "--entrypoint rm"))
    assert [stack.start_time(server) for server in stack.servers()] == started
    check_unreadable_weights(stack, tmp_path)


def check_unreadable_weights(stack: Stack, folder: Path) -> None:
    """Fail unless the exporter says who may not read the weights of a user, and what helps."""
    (folder / "digits.npz").write_bytes(b"anything")
    (folder / "digits.npz").chmod(0o600)
    folder.chmod(0o755)
    command = pages.block(PAGE, "--name mine").text.replace("./exporter/weights", str(folder))
    with pytest.raises(EngineError, match=r"Permission denied for user 10001; .*chmod o\+r"):
        stack.sh(command)


def test_envoy_passes_on_pages_and_the_ids_of_calls_but_no_metrics(stack: Stack) -> None:
    assert stack.get(HTTP, "/readyz").status_code == 200
    with grpc.insecure_channel(stack.address(GRPC)) as channel:
        _, call = predict_method(channel).with_call(
            PredictRequest(pixels_u8=bytes(784)).SerializeToString(),
            metadata=(("x-request-id", "of the caller"),),
        )
        assert ("x-request-id", "of the caller") in call.trailing_metadata()
    metrics = stack.get(HTTP, "/metrics")
    assert (metrics.status_code, "ask Prometheus" in metrics.text) == (404, True)
    asked.wait_for(lambda: stack.query('up{job="envoy"}') == 1, "Prometheus reads Envoy's metrics")


def test_an_alert_arrives_when_all_servers_have_stopped(stack: Stack) -> None:
    stack.sh("docker compose stop server")
    ended = [stack.inspect(server)["State"]["ExitCode"] for server in stack.servers()]
    # 137 would be those that had to be killed.
    assert ended == [0] * SERVERS

    def arrived() -> bool:
        alerts = stack.get(ALERTMANAGER, "/api/v2/alerts").raise_for_status().json()
        return "ServerDown" in {alert["labels"]["alertname"] for alert in alerts}

    asked.wait_for(arrived, "Alertmanager has the alert")
