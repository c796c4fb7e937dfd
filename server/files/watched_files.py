"""Files that are read again when they change; an invalid change leaves the previous content."""

import math
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from server.errors import StartupError
from server.files.outcomes import attempt

log = structlog.get_logger()

MAX_FILE_BYTES = 1 << 20
"""The largest file that is read: what is read here are lines of text."""

_ATTEMPTS = 5
"""How often to read files that change meanwhile."""

Content = TypeVar("Content")
State = tuple[tuple[int, ...], ...]


class TryLater(StartupError):
    """Files that can't be used yet, but may be from `time` on (by time.time) without a change."""

    def __init__(self, message: str, time: float) -> None:
        super().__init__(message)
        self.time = time


class WatchedFiles(Generic[Content]):
    """Files and what was read from them; `content` is always complete and valid."""

    def __init__(
        self,
        part: str,
        paths: Sequence[Path],
        read: Callable[[], Content],
        tell: Callable[[Content], None] = lambda _: None,
    ) -> None:
        """Read them; raises StartupError. `part` is what logs and metrics call them.

        `tell` gets the content each time that it changes, and at the start.
        """
        self.part = part
        self.paths, self._read, self._tell = tuple(paths), read, tell
        self._lock = threading.Lock()
        self._retry_time = math.inf
        self.content, self._state = self._read_whole()
        tell(self.content)

    def refresh(self) -> None:
        """Read the files again if they have changed since then, or can be used by now."""
        with self._lock:
            if self._look() != self._state or time.time() >= self._retry_time:
                attempt(self.part, self._take)

    def reload(self) -> None:
        """Read the files again; raises StartupError, and `content` stays what it was."""
        with self._lock:
            self._take()

    def _take(self) -> None:
        # Noted first, so that invalid files are reported once.
        self._state, self._retry_time = self._look(), math.inf
        try:
            self.content, self._state = self._read_whole()
        except TryLater as error:
            self._retry_time = error.time
            raise
        self._tell(self.content)

    def _read_whole(self) -> tuple[Content, State]:
        """Return the content and the state of the files, which did not change meanwhile."""
        for path in self.paths:
            check_readable(path)
        for _ in range(_ATTEMPTS):
            state = self._look()
            content = self._read()
            if self._look() == state:
                return content, state
        raise StartupError(f"{self.paths[0]} changed while it was read; try again")

    def _look(self) -> State:
        """Return what differs once a file was changed or replaced."""
        return tuple(map(_look, self.paths))


def _look(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def check_readable(path: Path) -> None:
    """Raise StartupError for files that could not be read to their end, or would fill the memory.

    A file that can't be looked at is left to its reader.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(status.st_mode):
        raise StartupError(f"{path} is not a regular file; give the path of one")
    if status.st_size > MAX_FILE_BYTES:
        raise StartupError(
            f"{path} has {status.st_size} bytes, more than the limit of {MAX_FILE_BYTES}; give "
            "another file"
        )


def warn_if_readable(path: Path) -> None:
    """Log a warning when every user of this machine can read a secret."""
    if path.stat().st_mode & 0o004:
        log.warning("a secret is readable by everyone", file=str(path), remedy=f"chmod o-r {path}")
