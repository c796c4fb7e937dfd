"""Files that are read again: when they change, and when their time has come."""

import math
from pathlib import Path

from server.reloading import Files, TryLater


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
    files = Files("part", (path,), read, told.append)
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
    files = Files("part", (path,), read)
    path.write_text("a longer second")
    read.error = TryLater("not yet", 0.0)
    files.refresh()
    assert (files.content, read.reads) == ("first", 2)
    read.error = None
    # As it stands: nothing changes but the time.
    files.refresh()
    files.refresh()
    assert (files.content, read.reads) == ("a longer second", 3)
