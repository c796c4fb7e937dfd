"""Files that are read again: when they change, and when their time has come."""

import math
import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.__main__ import main
from server.errors import StartupError
from server.files import watched_files
from server.files.tokens import Tokens
from server.files.watched_files import TryLater, WatchedFiles


class Reader:
    """Reads a file's text, or raises what it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: Exception | None = None
        self.reads = 0

    def __call__(self) -> str:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.path.read_text()


def test_what_is_in_use_is_told_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    told: list[str] = []
    read = Reader(path)
    files = WatchedFiles("part", (path,), read, told.append)
    path.write_text("a longer second")
    read.error = TryLater("not yet", math.inf)
    files.refresh()
    files.refresh()
    assert (files.content, told, read.reads) == ("first", ["first"], 2)
    read.error = None
    path.write_text("an even longer third")
    files.refresh()
    assert (files.content, told) == ("an even longer third", ["first", "an even longer third"])


def test_what_could_not_be_used_yet_is_tried_again_from_its_time_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    read = Reader(path)
    files = WatchedFiles("part", (path,), read)
    path.write_text("a longer second")
    read.error = TryLater("not yet", 0.0)
    files.refresh()
    assert (files.content, read.reads) == ("first", 2)
    read.error = None
    # As it stands: nothing changes but the time.
    files.refresh()
    files.refresh()
    assert (files.content, read.reads) == ("a longer second", 3)


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    pipe, endless, large = tmp_path / "pipe", tmp_path / "endless", tmp_path / "large"
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    large.write_bytes(bytes(watched_files.MAX_FILE_BYTES + 1))
    for path, words in (
        (pipe, "not a regular file"),
        (endless, "not a regular file"),
        (tmp_path, "not a regular file"),
        (large, "more than the limit of 1048576"),
    ):
        with pytest.raises(StartupError, match=words):
            WatchedFiles("part", (path,), path.read_bytes)
        with pytest.raises(StartupError, match=words):
            Tokens("tokens", path, "the tokens")


def test_a_file_that_becomes_a_pipe_keeps_what_was_good(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("name: 0123456789abcdef")
    tokens = Tokens("tokens", path, "the tokens")
    before = tokens.files.content
    path.unlink()
    os.mkfifo(path)
    tokens.files.refresh()
    assert tokens.files.content == before
    with pytest.raises(StartupError, match="not a regular file"):
        tokens.files.reload()


def test_a_settings_file_without_end_is_refused() -> None:
    found = CliRunner().invoke(main, ["--config", "/dev/zero"])
    assert found.exit_code == 2
    assert "more than 1048576 bytes" in found.output


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("0")
    changes = 2

    def read() -> str:
        content = path.read_text()
        if len(content) <= changes:
            path.write_text(content + "0")
        return content

    files = WatchedFiles("part", (path,), read)
    assert files.content == "000"
    changes = 100
    with pytest.raises(StartupError, match="changed while it was read"):
        files.reload()
    assert files.content == "000"


def test_of_two_threads_that_notice_a_change_one_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    reads: list[str] = []
    reading, may_end = threading.Event(), threading.Event()

    def read() -> str:
        reads.append(threading.current_thread().name)
        if len(reads) == 2:
            reading.set()
            assert may_end.wait(60)
        return path.read_text()

    files = WatchedFiles("part", (path,), read)
    path.write_text("a longer second")
    first = threading.Thread(target=files.refresh, name="first")
    first.start()
    assert reading.wait(60)
    assert files.content == "first", "in use until the new one is complete"
    second = threading.Thread(target=files.refresh, name="second")
    second.start()
    may_end.set()
    for thread in (first, second):
        thread.join()
    assert reads[1:] == ["first"]
    assert files.content == "a longer second"


def test_an_error_that_nobody_expects_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    read = Reader(path)
    files = WatchedFiles("part", (path,), read)
    path.write_text("a longer second")
    read.error = MemoryError()
    files.refresh()
    files.refresh()
    assert (files.content, read.reads) == ("first", 2)
    with pytest.raises(MemoryError):
        files.reload()
    path.unlink()
    read.error = None
    files.refresh()
    assert files.content == "first", "a file that is gone is no reason to use nothing"
