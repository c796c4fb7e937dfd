"""The Dockerfile, and that the handbook builds and starts what the tests do."""

import re
import subprocess
from pathlib import Path

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


def test_make_starts_and_ends_the_stack_of_the_handbook() -> None:
    for arguments, documented in (
        (["up"], pages.block("docs/deploying.md", "compose up --detach --wait\n")),
        (["up", "SERVERS=3"], pages.block("docs/deploying.md", "--wait --scale server=3\n")),
        (["down"], pages.block("docs/deploying.md", "docker compose down\n")),
    ):
        command = ["make", "--dry-run", "--no-print-directory", *arguments]
        printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        first = " ".join(printed.stdout.splitlines()[0].split())
        # Built anew, as the code may have changed; and down is for all profiles.
        assert re.sub(" --build| --profile [a-z]+", "", first) == documented.text.strip()
