"""The page on scaling has the tables that its command prints."""

import re
import subprocess
import sys

import pytest

from harness.server_process import ROOT


@pytest.fixture(scope="module")
def printed() -> str:
    command = [sys.executable, "-m", "benchmarks.scaling"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_tables_are_current(printed: str) -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    tables = [table.strip() for table in printed.split("\n\n")]
    assert len(tables) == 3
    for table in tables:
        assert table in page, "run `.venv/bin/python -m benchmarks.scaling` for its tables"


def test_spreading_calls_beats_spreading_connections(printed: str) -> None:
    rows = re.findall(r"^\| \D.* \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \|$", printed, re.MULTILINE)
    (late, most), *_, (chosen_late, chosen_most) = ([*map(float, row)] for row in rows)
    assert chosen_late < late
    assert 1 <= chosen_most < most
