"""The Dockerfile, and that the handbook builds and starts what the tests do."""

import subprocess
from pathlib import Path

import pytest

from harness.server_process import ROOT
from tests.deploy.engine.images import TARGETS
from tests.documents import pages


def test_builds_are_those_of_the_handbook() -> None:
    built = pages.block("docs/deploying.md", "docker build").text
    for target, tag in TARGETS.items():
        assert f"docker build --target {target} --tag {tag} .\n" in built


def test_the_dockerfile_is_clean(programs: Path) -> None:
    ended = subprocess.run(
        [programs / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "documented"),
    [
        (["up"], pages.block("docs/deploying.md", "compose up --detach --wait\n")),
        (["up", "SERVERS=3"], pages.block("docs/deploying.md", "--wait --scale server=3\n")),
        (["up", "TRACES=1"], pages.block("docs/observability.md", "traces.env up --detach")),
        (["down"], pages.block("docs/deploying.md", "docker compose down\n")),
    ],
)
def test_make_starts_and_ends_the_stack_of_the_handbook(
    arguments: list[str], documented: pages.Block
) -> None:
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (run,) = (line for line in printed.stdout.splitlines() if line.startswith("docker compose"))
    # Built anew, as the code may have changed.
    assert run.replace(" --build", "").split(" || ")[0].split() == documented.text.split()
