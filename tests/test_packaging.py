"""What is committed beside the code is current, and what is built holds what it should."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from harness.server_process import ROOT
from tests.generate_stubs import generate
from tests.test_rooms import imported

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_generated_code_is_current(tmp_path: Path) -> None:
    generate(tmp_path)
    fresh = {file.relative_to(tmp_path): file.read_text() for file in tmp_path.rglob("*.py*")}
    assert len(fresh) == 8
    stale = [str(name) for name, text in fresh.items() if (ROOT / name).read_text() != text]
    assert not stale, "run `make proto` and commit what it writes"


def test_the_generated_code_runs_on_the_oldest_grpcio() -> None:
    (bound,) = re.findall(r"grpcio>=([\d.]+)", "\n".join(PYPROJECT["project"]["dependencies"]))
    generated = [
        re.findall(r"GRPC_GENERATED_VERSION = '([\d.]+)'", file.read_text())
        for file in (ROOT / "mlpserve").rglob("*_pb2_grpc.py")
    ]
    assert generated
    assert all(versions == [bound] for versions in generated)


def test_wheel_holds_the_client_only(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    command = [*build, "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        (metadata,) = (content.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"mlpserve"}
    assert {"mlpserve/v1/classifier_pb2.py", "mlpserve/py.typed"} <= set(names)
    required = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert sorted(required) == ["grpcio", "numpy", "protobuf"]
    script = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); import mlpserve; "
        "print(mlpserve.aio.__file__); mlpserve.aio.Client('localhost:1'); mlpserve.Client"
    )
    command = [sys.executable, "-I", "-W", "error", "-c", script]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == f"{wheel}/mlpserve/aio.py"


def test_setup_installs_the_client_for_scripts_anywhere(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("mlpserve")), "--help"]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "Usage: mlpserve" in shown.stdout
    # Isolated, so that it is neither the folder nor PYTHONPATH that finds it.
    command = [sys.executable, "-I", "-c", "import mlpserve; print(mlpserve.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert Path(found.stdout.strip()) == ROOT / "mlpserve" / "__init__.py", "run `make setup`"


def fake_python(folder: Path, name: str, version: str) -> None:
    """Put a program on the path that says it is Python of this version."""
    patch = f"import sys; sys.version_info = ({version.replace('.', ', ')}, 0)"
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{patch}; exec(sys.argv[2])" "$@"\n')
    program.chmod(0o755)


def choose(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Have make print what setup would run, with only the fakes for Pythons."""
    for tool in ("sh", "make", "command", "env"):
        if found := shutil.which(tool):
            (folder / tool).unlink(missing_ok=True)
            (folder / tool).symlink_to(found)
    command = ["make", "--dry-run", "--always-make", "--no-print-directory", "setup", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": str(folder)}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": "3.13"}, "python3"),
        ({"python3": "3.15", "python3.15": "3.15", "python3.13": "3.13"}, "python3.13"),
        ({"python3": "3.15", "python3.14": "3.14", "python3.12": "3.12"}, "python3.14"),
        ({"python3": "3.10", "python3.11": "3.11"}, "python3.11"),
        ({"python3": "3.15"}, ""),
        ({"python3": "3.10"}, ""),
    ],
)
def test_make_takes_a_python_for_which_there_are_wheels(
    tmp_path: Path, pythons: dict[str, str], chosen: str
) -> None:
    for name, version in pythons.items():
        fake_python(tmp_path, name, version)
    ended = choose(tmp_path)
    assert f"{chosen or 'false'} -c " in ended.stdout.splitlines()[0]
    skipped = "python3 is skipped: onnxruntime has no wheel for Python 3.15 or newer yet."
    assert ended.stderr.splitlines() == [skipped] * (pythons["python3"] == "3.15")


def pinned(lock: str) -> set[str]:
    """The names of the packages in a lock."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    return set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))


@pytest.mark.parametrize(
    "lock", sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))
)
def test_locks_are_hashed_and_name_no_host(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    requirements = re.findall(r"^[a-z0-9._-]+==.*(?:\n[ ].*)*", text, re.MULTILINE)
    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "://" not in text


def test_locks_hold_what_pyproject_asks_for() -> None:
    groups = PYPROJECT["dependency-groups"]
    client = PYPROJECT["project"]["dependencies"]
    asked = {"server": groups["server"], "exporter": groups["exporter"], "client": client}
    for lock, requirements in asked.items():
        names = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}
        assert names <= pinned(lock), "run `make lock`"


def test_images_hold_no_foreign_runtime() -> None:
    assert not pinned("server") & {"onnx", "httpx"}
    assert not pinned("exporter") & {"grpcio", "onnxruntime", "protobuf-tools"}


def packages_of(room: str) -> set[str]:
    """The room, and each package of this repository that it imports, or that one of those does."""
    found, waiting = set(), {room}
    while waiting:
        package = waiting.pop()
        found.add(package)
        for file in (ROOT / package).rglob("*.py"):
            names = {name for name in imported(file) if (ROOT / name / "__init__.py").exists()}
            waiting |= names - found
    return found


@pytest.mark.parametrize("room", ["exporter", "server"])
def test_images_hold_every_package_that_is_imported(room: str) -> None:
    wanted = packages_of(room)
    assert {room, "canonical", "modelfile"} <= wanted
    dockerfile = (ROOT / "Dockerfile").read_text()
    (stage,) = re.findall(
        rf"^FROM \S+ AS {room}$(.*?)(?=^FROM|\Z)", dockerfile, re.MULTILINE | re.DOTALL
    )
    copied = set(re.findall(r"^COPY (\w+) /app/\1$", stage, re.MULTILINE))
    assert wanted <= copied, "mend the Dockerfile"
    let_through = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert wanted <= let_through, "mend .dockerignore"
