"""What a child writes to its standard error is logged: all of a little, some of much."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.waiting import wait_for
from server.supervisor import standard_error
from server.supervisor.standard_error import MAX_TEXT_BYTES, MAX_TEXTS, divert, forward

PATIENCE_SECONDS = 60.0


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged."""
    logged: list[str] = []
    monkeypatch.setattr(standard_error, "_log", lambda text, _context: logged.append(text))
    return logged


@pytest.fixture
def write_end() -> Iterator[int]:
    """The end of a pipe that is forwarded, which the test closes."""
    with divert() as diverted:
        assert not os.get_blocking(diverted.write_end)
        copy = os.dup(diverted.write_end)
    thread = forward(diverted.read_end)
    assert thread is not None
    yield copy
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_all_of_a_little_is_logged(texts: list[str], write_end: int) -> None:
    os.write(write_end, b"Fatal Python error: \xff\nin some line\n")
    os.close(write_end)
    wait_for(lambda: bool(texts))
    assert texts == ["Fatal Python error: \\xff\nin some line"]


def test_of_much_the_begin_and_the_end_are_logged(texts: list[str], write_end: int) -> None:
    os.set_blocking(write_end, True)
    os.write(write_end, b"first words\n")
    for _ in range(100):
        os.write(write_end, b"x" * MAX_TEXT_BYTES)
    os.write(write_end, b"last words\n")
    os.close(write_end)
    wait_for(lambda: bool(texts) and texts[-1].endswith("last words"))
    assert texts[0].startswith("first words")
    assert max(map(len, texts)) <= 2 * MAX_TEXT_BYTES + 100
    assert any("bytes left out" in text for text in texts) or len(texts) > MAX_TEXTS


def test_nobody_waits_for_who_reads() -> None:
    with divert() as diverted:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(diverted.write_end, b"x" * 4096)
        os.close(diverted.read_end)


def test_what_is_not_used_is_closed() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ValueError, match="no"), divert():
        raise ValueError("no")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
