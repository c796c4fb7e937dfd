"""The data files of the page."""

import gzip

import pytest

from server.http.static_files import FOLDER
from tests.generate_page_files import FILES

MAX_SHEET_BYTES = 300_000


@pytest.mark.parametrize("name", FILES)
def test_it_is_what_the_command_writes(name: str) -> None:
    written = gzip.decompress((FOLDER / "data" / name).read_bytes())
    assert written == FILES[name](), "run: .venv/bin/python -m tests.generate_page_files"


def test_the_sheet_is_small() -> None:
    assert (FOLDER / "data" / "digits.bin").stat().st_size <= MAX_SHEET_BYTES
