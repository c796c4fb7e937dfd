"""docs/architecture.md says which modules a call passes, and its diagram shows what they import."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.server_process import ROOT
from tests.test_rooms import local_imports

PAGE = (ROOT / "docs/architecture.md").read_text()
MAX_MODULES = 9

BELOW = ("server/telemetry/", "server/system/", "server/logs/", "server/errors.py")
"""What is told of a call, or knows nothing of calls; see the table of rooms."""


def module(file: str) -> str:
    return f"server/{file}".removesuffix(".py").replace("/", ".")


NODES = dict(re.findall(r'^ +(\w+)\["(.+?)"\]$', PAGE, re.MULTILINE))
ARROWS = re.findall(r"^ +(\w+) (-->|-\.->) (\w+)$", PAGE, re.MULTILINE)
PASSED = {
    name.strip(): re.findall("`(.+?)`", cell)
    for name, cell in re.findall(r"^\| (.+?) \| (`.+) \|$", PAGE, re.MULTILINE)
}
TOOLS = PASSED.pop("tools that these use")


@pytest.fixture(scope="module", params=["lane", "threads"])
def visited(repository: Path, request: pytest.FixtureRequest) -> tuple[str, dict[str, set[str]]]:
    """Where calls go, and the modules that run for one of each method."""
    mode = "on" if request.param == "lane" else "off"
    traced = subprocess.run(
        [sys.executable, "-m", "tests.visits", str(repository), mode],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    modules: dict[str, list[str]] = json.loads(traced.stdout.splitlines()[-1])
    return request.param, {path.split("/")[-1]: set(files) for path, files in modules.items()}


def test_there_is_a_diagram_and_a_table() -> None:
    assert len(ARROWS) > 10
    assert len(PASSED) == 4


@pytest.mark.parametrize(("left", "kind", "right"), ARROWS)
def test_arrows_are_imports(left: str, kind: str, right: str) -> None:
    imports = local_imports(module(NODES[left]))
    assert (module(NODES[right]) in imports) == (kind == "-->")


def test_files_that_are_named_exist() -> None:
    files = set(re.findall(r"`([\w/]+\.py|[\w/]+/)`", PAGE))
    places = (ROOT / "server", ROOT)
    assert len(files) > 25
    assert not {file for file in files if not any((place / file).exists() for place in places)}


@pytest.mark.parametrize("call", PASSED)
def test_a_call_passes_few_modules_and_they_are_drawn(call: str) -> None:
    assert len(PASSED[call]) <= MAX_MODULES
    assert set(PASSED[call]) <= set(NODES.values())


def test_calls_pass_what_is_named(visited: tuple[str, dict[str, set[str]]]) -> None:
    where, modules = visited
    for method, files in modules.items():
        passed = {
            file.removeprefix("server/") for file in files if not file.startswith(BELOW)
        } - set(TOOLS)
        named = {name: set(PASSED[name]) for name in PASSED if f"{method} on" in name}
        assert passed == next(named[name] for name in named if name.endswith(where))
