"""The code in docs/predicting.md runs as it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.server_process import ROOT, ServerProcess
from mlpserve.command.predict.asking import N_IN_FLIGHT
from mlpserve.command.predict.choices import ENDINGS
from mlpserve.command.predict.parts import MAX_IMAGES
from tests.documents import pages

PAGE = pages.text("docs/predicting.md")
PACKED = "t10k-images-idx3-ubyte.gz"


@pytest.fixture
def folder(server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path) -> Path:
    """A folder with the files of the page, and the command for the server."""
    program = tmp_path / ".venv" / "bin" / "mlpserve"
    program.parent.mkdir(parents=True)
    address = server.grpc_address
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mlpserve "$@" --address {address}\n')
    program.chmod(0o755)
    levels = np.round(255 * digits[0][:30]).astype(np.uint8).reshape(-1, 28, 28)
    (tmp_path / "scans").mkdir()
    for path in ("7.png", "scans/1.png", "scans/2.png"):
        Image.fromarray(levels[0]).save(tmp_path / path)
    np.save(tmp_path / "images.npy", levels)
    np.save(tmp_path / "more.npy", digits[0][30:50])
    shutil.copy(ROOT / "tests" / "data" / PACKED, tmp_path)
    return tmp_path


def test_every_block_runs(folder: Path) -> None:
    shell, python = pages.blocks("docs/predicting.md")
    for command in (["sh", "-ec", shell.text], [sys.executable, "-c", python.text]):
        ended = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "[7 2 1 ... 4 5 6] (10000, 10)\n"
    assert (folder / "scans.csv").read_text().count("\n") == 3
    assert (folder / "results.jsonl").read_text().count("\n") == 51


def test_what_the_page_says_of_numbers_and_endings() -> None:
    assert f"in parts of up to {MAX_IMAGES}, four at once" in PAGE
    assert N_IN_FLIGHT == 4
    table = PAGE[PAGE.index("| format |") :]
    for ending, form in ENDINGS.items():
        assert re.search(rf"^\| `{form}` \| .*`{ending}`", table, re.MULTILINE)
