"""A file of results has its name once it is whole, and never half a row."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.server_process import ROOT
from mlpserve.command.predict.outputs.file import OutputFile
from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Serving


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two thousand images."""
    return save_npy(tmp_path / "images.npy", np.zeros((2000, 784), np.uint8))


def test_a_file_is_replaced_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("old")
    file = OutputFile.create(path)
    file.write(b"new\n")
    assert path.read_text() == "old"
    assert (tmp_path / "results.csv.part").read_text() == "new\n"
    file.finish()
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.csv"]
    assert path.read_text() == "new\n"


def test_what_was_stopped_keeps_its_rows_beside_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("old")
    file = OutputFile.create(path)
    file.write(b"one\n")
    file.stop()
    assert path.read_text() == "old"
    assert (tmp_path / "results.csv.part").read_text() == "one\n"


def test_what_was_stopped_before_the_first_row_leaves_nothing(tmp_path: Path) -> None:
    OutputFile.create(tmp_path / "results.csv").stop()
    assert not list(tmp_path.iterdir())


def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "folder" / "real.csv", tmp_path / "link.csv"
    real.parent.mkdir()
    link.symlink_to(real)
    file = OutputFile.create(link)
    file.write(b"row\n")
    file.finish()
    assert link.is_symlink()
    assert real.read_text() == "row\n"


def test_no_file(images: Path, serving: Serving) -> None:
    options = ("--format", "csv", "--address", serving.address)
    assert run(images, "--output", "/dev/null", *options).exit_code == 0
    full = run(images, "--output", "/dev/full", *options)
    assert full.exit_code == 1
    assert full.stderr == "Error: /dev/full can't be written: no space left on device\n"


def test_a_folder_that_can_not_be_written(images: Path, serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "results.csv.part").mkdir()
    output = tmp_path / "results.csv"
    result = run(images, "--output", output, "--address", serving.address)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {output} can't be written: is a directory\n"
    assert not serving.requests


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from mlpserve.cli import main
main()
"""


def run_limited(*arguments: str | Path, max_bytes: int) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process whose files can't be larger, as on a full disk."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, str(max_bytes), "predict", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


# Some calls' rows, and not all.
MAX_BYTES = {"csv": 200_001, "jsonl": 500_001, "npy": 60_001, "txt": 150_001}


@pytest.mark.parametrize("ending", MAX_BYTES)
def test_a_full_disk_leaves_whole_rows(
    images: Path, serving: Serving, tmp_path: Path, ending: str
) -> None:
    output, max_bytes = tmp_path / f"results.{ending}", MAX_BYTES[ending]
    ended = run_limited(
        images, "--output", output, "--address", serving.address, max_bytes=max_bytes
    )
    part = tmp_path / f"results.{ending}.part"
    assert ended.returncode == 1
    where, error = ended.stderr.splitlines()
    assert where.startswith(f"{part} has the ")
    assert error == f"Error: {output} can't be written: file too large"
    assert not output.exists()
    if ending == "npy":
        n_rows = len(np.load(part))
    else:
        text = part.read_text()
        assert text.endswith("\n")
        n_rows = text.count("\n") - (ending == "csv")
    assert where == f"{part} has the {n_rows:,} rows so far"
    assert 0 < n_rows < 2000


def test_who_reads_may_have_enough(images: Path, serving: Serving) -> None:
    command = [sys.executable, "-W", "error", "-m", "mlpserve", "predict", "--format", "csv"]
    with subprocess.Popen(
        [*command, str(images), "--address", serving.address],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Otherwise Python's own buffer is as large as a pipe.
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("image,index,label")
        process.stdout.close()
        assert process.wait(timeout=120) == 1
        assert process.stderr.read() == ""
