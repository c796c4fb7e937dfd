"""Reads a model's file, if it is a regular file of an allowed size."""

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
    """Return the stamp of a file, or of what a link points to; raises OSError."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def size_of(path: Path, max_bytes: int) -> int:
    """Return the size of a file; raises Fault unless it is a regular one of at most `max_bytes`."""
    try:
        # Not opened, since opening some devices has side effects.
        status = path.stat()
    except OSError as error:
        raise Fault(f"can't be read: {error.strerror}", "unreadable") from error
    _check(status, max_bytes)
    return status.st_size


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file that `size_of` has accepted; raises Fault as it does."""
    try:
        # Something else may have taken its place, and opening a pipe must not wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _check(status, max_bytes)
            content = file.read(status.st_size + 1)
    except OSError as error:
        raise Fault(f"can't be read: {error.strerror}", "unreadable") from error
    if len(content) != status.st_size:
        raise Fault(
            "changed while it was read; write into a folder beside it and rename that", "unreadable"
        )
    return content


def _check(status: os.stat_result, max_bytes: int) -> None:
    """Raise Fault unless this is a regular file of an allowed size."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise Fault(f"is {kind} instead of a file; put the model's file there", "not_a_file")
    if status.st_size > max_bytes:
        raise Fault(
            f"has {status.st_size} bytes, more than max_model_bytes, {max_bytes}; raise "
            "--max-model-bytes if there is memory for it: loading takes about three times as much",
            "too_large",
        )
