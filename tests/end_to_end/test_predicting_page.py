"""The code in docs/predicting.md runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.server_process import ROOT, ServerProcess
from mlpserve.command.predict.asking import N_IN_FLIGHT
from mlpserve.command.predict.choices import ENDINGS
from mlpserve.command.predict.parts import MAX_IMAGES
from tests.documents import pages

PAGE = pages.text("docs/predicting.md")


@pytest.fixture
def folder(server: ServerProcess, tmp_path: Path) -> Path:
    """A folder with the files that ship, and the command for the server."""
    program = tmp_path / ".venv" / "bin" / "mlpserve"
    program.parent.mkdir(parents=True)
    address = server.grpc_address
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mlpserve "$@" --address {address}\n')
    program.chmod(0o755)
    for name in ("examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_every_block_runs(folder: Path) -> None:
    for block in pages.blocks("docs/predicting.md"):
        shell = ["sh", "-ec"] if block.language == "sh" else [sys.executable, "-c"]
        ended = subprocess.run(
            [*shell, block.text],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "[7 2 1 ... 4 5 6] (10000, 10)\n"
    assert (folder / "digits.csv").read_text().count("\n") == 1 + 10
    assert (folder / "results.jsonl").read_text().count("\n") == 3 + 10 + 1


def test_what_the_page_says_of_numbers_and_endings() -> None:
    assert f"in parts of up to {MAX_IMAGES}, four at once" in PAGE
    assert N_IN_FLIGHT == 4
    table = PAGE[PAGE.index("| format |") :]
    for ending, form in ENDINGS.items():
        assert re.search(rf"^\| `{form}` \| .*`{ending}`", table, re.MULTILINE)
