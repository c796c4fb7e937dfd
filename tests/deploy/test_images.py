"""The images: what they hold, and that the server's runs with nothing but its volume."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.server_process import ROOT
from tests.deploy import handbook
from tests.deploy.engine.daemon import Engine, EngineError
from tests.deploy.engine.images import TARGETS

pytestmark = pytest.mark.timeout(600)

SERVER, EXPORTER = TARGETS["server"], TARGETS["exporter"]
LARGEST_BYTES = 300_000_000

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
    assert inspect(engine, SERVER)["Size"] < LARGEST_BYTES


@pytest.mark.parametrize("tag", [SERVER, EXPORTER])
def test_images_say_what_they_are(engine: Engine, tag: str) -> None:
    config = inspect(engine, tag)["Config"]
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    # In the exec form: a shell would keep SIGTERM to itself.
    assert config["Entrypoint"][:2] == ["python", "-m"]
    labels = {name.rpartition(".")[2] for name in config["Labels"]}
    assert labels == {"title", "description", "licenses", "revision"}


def test_a_container_runs_as_the_handbook_says(engine: Engine) -> None:
    def sh(commands: str) -> str:
        return engine.run(engine.inside("bash", "-euo", "pipefail", "-c", commands))

    sh(handbook.commands("docker run --detach"))
    try:
        status = sh("docker exec mlpserve cat /proc/1/status")
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert lines["CapEff"] == lines["CapBnd"] == "0" * 16
        assert (lines["NoNewPrivs"], lines["Uid"].split()[0]) == ("1", "10001")
        with pytest.raises(EngineError, match="Read-only file system"):
            sh("docker exec mlpserve touch /app/new")
        sh("until docker exec mlpserve python -m server health; do sleep 0.2; done")
        assert sh(handbook.commands("server health")) == "ready\n"
        command = inspect(engine, SERVER)["Config"]["Healthcheck"]["Test"]
        assert command == ["CMD", "python", "-m", "server", "health"]
        sh("docker stop mlpserve")
        # 137 would be a SIGKILL after the grace.
        assert sh("docker inspect mlpserve --format '{{.State.ExitCode}}'") == "0\n"
    finally:
        sh(handbook.commands("docker rm mlpserve"))


def test_builds_are_those_of_the_handbook() -> None:
    built = handbook.commands("docker build")
    for target, tag in TARGETS.items():
        assert f"docker build --target {target} --tag {tag} .\n" in built


def test_the_dockerfile_is_clean(programs: Path) -> None:
    ended = subprocess.run(
        [programs / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (0, "")


def test_make_starts_and_ends_the_stack_of_the_handbook() -> None:
    for arguments, part in (
        (["up"], "compose up --detach --wait\n"),
        (["up", "SERVERS=3"], "up --detach --wait --scale server=3\n"),
        (["down"], "docker compose down\n"),
    ):
        command = ["make", "--dry-run", "--no-print-directory", *arguments]
        printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        first = " ".join(printed.stdout.splitlines()[0].split())
        documented = handbook.commands(part).strip()
        # Built anew, as the code may have changed; and down is for several servers as well.
        assert first.replace(" --build", "").replace(" --profile scale", "") == documented
