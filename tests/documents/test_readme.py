"""The commands and programs of README.md work as they are pasted, on the ports that it names."""

import json
import re
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import isolated
from tests.documents import clone, pages
from tests.documents.clone import Clone
from tests.programs import need

PAGE = "README.md"
PYTHON = ".venv/bin/python"
DIGITS = "examples/digits"


def make(lines: str) -> str:
    """Have make take .venv as it is: tests set nothing up."""
    return re.sub(r"^make ", "make --old-file=.venv/ready ", lines, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone in which nothing has been done yet."""
    with clone.clone(tmp_path_factory.mktemp("clone")) as made:
        yield made


@pytest.fixture(scope="module")
def started(fresh: Clone) -> Iterator[Clone]:
    """The clone, with the server that the page starts first."""
    run, _test = make(pages.block(PAGE, "make run").text).splitlines()
    with fresh.serve(run) as server:
        assert (server.grpc_address, server.http_address) == ("127.0.0.1:50051", "127.0.0.1:8080")
        yield fresh


def test_make_test_runs_every_test(fresh: Clone) -> None:
    _run, test = make(pages.block(PAGE, "make run").text).splitlines()
    assert "-m pytest -n " in fresh.sh(test.replace("make ", "make --dry-run "))


def test_programs(started: Clone) -> None:
    program = pages.block(PAGE, "from mlpserve import Client").text
    assert re.match(r"\[\d \d\] \[\[", started.run(PYTHON, "-W", "error", "-c", program))
    # It has an environment of its own, since it does not go with this protobuf.
    python = isolated.install("tritonclient") / "python"
    program = pages.block(PAGE, "import tritonclient.grpc").text
    assert re.fullmatch(r"\[\d \d\]\n", started.run(python, "-c", program))


def test_pictures(started: Clone) -> None:
    assert "7" in started.sh(pages.block(PAGE, "mlpserve predict examples").text)
    need("curl", "curl")
    answer = json.loads(started.sh(pages.block(PAGE, "@examples/digits/7.png").text))
    assert answer["labels"] == [7]
    # The others, too.
    lines = started.run(".venv/bin/mlpserve", "predict", "examples/digits", "--format", "json")
    found = [json.loads(line) for line in lines.splitlines()]
    assert [one["label"] for one in found] == list(range(10))


def test_grpcurl(started: Clone) -> None:
    shown = started.sh(pages.block(PAGE, "grpcurl").text)
    assert "rpc PredictStream (" in shown
    assert '"labels": [' in shown
    assert "# TYPE grpc_server_handled_total counter\n" in shown


def test_what_is_called_within_the_text(started: Clone) -> None:
    """Commands between the lines, of which the long ones run for a moment."""
    text = " ".join(pages.text(PAGE).split())
    for command, more in (
        (
            ".venv/bin/mlpserve bench localhost:50051 --rate 1000",
            "--seconds 0.3 --timeout-seconds 120",
        ),
        (".venv/bin/mlpserve top localhost:8080", "--once"),
    ):
        assert f"`{command}`" in text
        assert started.sh(f"{command} {more}")


def test_the_conformance_suite(started: Clone) -> None:
    """Over gRPC and HTTP, with few rules; tests/conformance checks all."""
    lines = pages.block("docs/conformance.md", "tests.conformance").text.splitlines()
    assert f"`{lines[0]}`" in pages.text(PAGE)
    for line in lines:
        assert " 0 failed" in started.sh(f"{line} --only 'health.*'")


def test_the_client_in_an_environment_of_its_own(started: Clone, tmp_path: Path) -> None:
    programs = environment_without_mlpserve(tmp_path) / "bin"
    # Nothing may be downloaded: what builds it is there already, as is what it needs.
    offline = "PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=false PIP_DISABLE_PIP_VERSION_CHECK=1"
    from_clone = "pip install '.[cli]'"
    assert f"`{from_clone}`" in pages.text(PAGE)
    for lines in (make(pages.block(PAGE, "make wheel").text), from_clone):
        done = started.sh(f"export PATH={programs}:$PATH {offline}\n{lines}")
        assert "Successfully installed mlpserve-" in done
    picture = started.folder / "examples" / "digits" / "7.png"
    elsewhere = replace(started, folder=tmp_path)
    alone = ("env", "-u", "PYTHONPATH")
    assert "7" in elsewhere.run(*alone, programs / "mlpserve", "predict", picture)


def environment_without_mlpserve(folder: Path) -> Path:
    """Return a new environment that has every package of this one but mlpserve."""
    venv.create(folder / "own")
    here, there = (
        Path(sysconfig.get_path("purelib", vars={"base": str(base)}))
        for base in (sys.prefix, folder / "own")
    )
    for package in here.iterdir():
        if "mlpserve" not in package.name:
            (there / package.name).symlink_to(package)
    pip = folder / "own" / "bin" / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
    pip.chmod(0o755)
    return folder / "own"


def test_own_networks_and_two_versions(started: Clone) -> None:
    with clone.network() as enter:
        other = replace(started, enter=enter)
        other.run(PYTHON, "-W", "error", "-c", pages.block(PAGE, "np.savez").text)
        with other.serve(pages.block(PAGE, "export --weights mine.npz").text):
            listed = json.loads(other.sh("curl --silent localhost:8080/v1/models"))
            assert listed["default_model"] == "mine"
        with other.serve(pages.block(PAGE, "--shadow").text):
            for label, version in (("stable", "1"), ("canary", "2")):
                path = f"localhost:8080/v2/models/digits/versions/{label}/infer"
                picture = "--header 'Content-Type: image/png' --data-binary @examples/digits/7.png"
                answer = json.loads(other.sh(f"curl --silent {picture} {path}"))
                assert answer["model_version"] == version
