"""The page on scaling has the tables that its command prints."""

from click.testing import CliRunner

from benchmarks import scaling
from harness.server_process import ROOT


def test_tables_are_current() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    printed = CliRunner().invoke(scaling.main, catch_exceptions=False).output
    tables = [table.strip() for table in printed.split("\n\n")]
    assert len(tables) == 3
    for table in tables:
        assert table in page, "run `python -m benchmarks.scaling` and put its tables there"


def test_spreading_calls_beats_spreading_connections() -> None:
    workers = 4
    _, pinned, uneven = scaling.simulate(scaling.pinned(workers, 8), workers, 8)
    _, chosen, even = scaling.simulate(scaling.better_of_two(workers, 8), workers, 8)
    assert chosen < pinned
    assert 1 <= even < uneven
