"""Reads a model's file: only if it is one, and not larger than it may be."""

import os
import stat
from pathlib import Path

from server.errors import Fault

Stamp = tuple[int, ...]
"""Changes whenever a file does: its place on disk, size, and times of change in nanoseconds."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file, or of what a link stands for; raises OSError."""
    its = path.stat()
    return its.st_dev, its.st_ino, its.st_size, its.st_mtime_ns, its.st_ctime_ns


def size_of(path: Path, max_bytes: int) -> int:
    """Return the size of a file; raises Fault when it is none, or has more than `max_bytes`."""
    try:
        # Not opened, since the mere opening of some devices does something.
        its = path.stat()
    except OSError as error:
        raise Fault(f"can't be read: {error.strerror}", "unreadable") from error
    _check(its, max_bytes)
    return its.st_size


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return what is in a file of which `size_of` has told the size; raises Fault as it does."""
    try:
        # Something else may have taken its place, and opening a pipe must not wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            its = os.fstat(descriptor)
            _check(its, max_bytes)
            content = file.read(its.st_size + 1)
    except OSError as error:
        raise Fault(f"can't be read: {error.strerror}", "unreadable") from error
    if len(content) != its.st_size:
        raise Fault(
            "changes while it is read; write into a folder beside it and rename that", "unreadable"
        )
    return content


def _check(its: os.stat_result, max_bytes: int) -> None:
    """Raise Fault unless this is a file that may be read."""
    if not stat.S_ISREG(its.st_mode):
        kind = _KINDS.get(stat.S_IFMT(its.st_mode), "something else")
        raise Fault(f"is {kind} instead of a file; put the model's file there", "not_a_file")
    if its.st_size > max_bytes:
        raise Fault(
            f"has {its.st_size} bytes, more than max_model_bytes, {max_bytes}; raise "
            "--max-model-bytes if there is memory for it: loading takes about three times as much",
            "too_large",
        )
