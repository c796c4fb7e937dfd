"""What is read again while the server runs: a bad change keeps what was good before."""

import contextlib
import math
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from server.errors import StartupError
from server.telemetry import metrics

log = structlog.get_logger()

WATCH_SECONDS = 1.0
"""How often files are looked at."""

MAX_FILE_BYTES = 1 << 20
"""The largest file that is read: what is read here are lines of text."""

_ATTEMPTS = 5
"""How often files are read that change while they are."""

Content = TypeVar("Content")
State = tuple[tuple[int, ...], ...]


class TryLater(StartupError):
    """What can't be used yet, though it may be from `time` on, by time.time, as it stands."""

    def __init__(self, message: str, time: float) -> None:
        super().__init__(message)
        self.time = time


@dataclass(frozen=True, slots=True)
class Outcome:
    """How reading a part again went; `error` is empty when the new content is in use."""

    part: str
    error: str


ASK_SECONDS = 4.0
"""How long somebody who asks for a reload waits for what takes long to load."""


class Reloads:
    """The parts of the server that can be read again, by any thread."""

    def __init__(self, tell_others: Callable[[], None] = lambda: None) -> None:
        """`tell_others` has the other workers read theirs again."""
        self._tell_others = tell_others
        self._parts: dict[str, Callable[[float], str]] = {}
        self._watched: list[Callable[[], None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def register(self, part: str, reload: Callable[[], None]) -> None:
        """Let `run` call `reload`, which raises StartupError when it keeps what was there."""
        self._parts[part] = lambda _seconds: attempt(part, reload)
        metrics.LAST_RELOAD_SUCCESSFUL.labels(part).set(1)

    def follow(self, part: str, ask: Callable[[float], str]) -> None:
        """Let `run` ask a part that reloads itself, and notes how that went, to do so now.

        It is told how many seconds the answer may take, and returns why it failed, if it did.
        """
        self._parts[part] = ask

    def watch(self, files: "Files[Content]") -> None:
        """Let `run` read files again, and look once a second whether they have changed."""
        self.register(files.part, files.reload)
        self._watched.append(files.refresh)

    def start(self) -> None:
        """Watch files, if there are any, on a thread of their own."""
        if self._watched:
            self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs that watches files, if there are any."""
        return not self._watched or self._thread.is_alive()

    def stop(self) -> None:
        """Watch no longer; what is being read is not waited for."""
        self._stop.set()

    def run(self, seconds: float = ASK_SECONDS) -> list[Outcome]:
        """Read every part again; those that fail keep what they had, and the others go on.

        What loads by itself is waited for so many seconds.
        """
        return [Outcome(part, reload(seconds)) for part, reload in list(self._parts.items())]

    def run_everywhere(self) -> list[Outcome]:
        """Have every worker read its parts again; returns how that went here."""
        self._tell_others()
        return self.run()

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            for refresh in self._watched:
                try:
                    refresh()
                except Exception:
                    # Without this thread no file would ever be read again.
                    with contextlib.suppress(Exception):
                        log.exception("looking at files failed")


class Files(Generic[Content]):
    """Files and what was read from them; `content` is always whole and good."""

    def __init__(
        self,
        part: str,
        paths: Sequence[Path],
        read: Callable[[], Content],
        tell: Callable[[Content], None] = lambda _: None,
    ) -> None:
        """Read them; raises StartupError. `part` is what logs and metrics call them.

        `tell` is told what is in use from now on.
        """
        self.part = part
        self._paths, self._read, self._tell = paths, read, tell
        self._lock = threading.Lock()
        self._retry_time = math.inf
        self.content, self._state = self._read_whole()
        tell(self.content)

    def refresh(self) -> None:
        """Read the files again if they have changed since they were read last, well or not, or have
        become what can be used.
        """
        if not self._is_due():
            return
        with self._lock:
            # Another thread may have been first.
            if self._is_due():
                attempt(self.part, self._take)

    def _is_due(self) -> bool:
        return self._look() != self._state or time.time() >= self._retry_time

    def reload(self) -> None:
        """Read the files again; raises StartupError, and `content` stays what it was."""
        with self._lock:
            self._take()

    def _take(self) -> None:
        # Noted first, so that bad files are complained about once.
        self._state, self._retry_time = self._look(), math.inf
        try:
            self.content, self._state = self._read_whole()
        except TryLater as error:
            self._retry_time = error.time
            raise
        self._tell(self.content)

    def _read_whole(self) -> tuple[Content, State]:
        """Return the content and the state of the files, which did not change meanwhile."""
        for path in self._paths:
            check_readable(path)
        for _ in range(_ATTEMPTS):
            state = self._look()
            content = self._read()
            if self._look() == state:
                return content, state
        raise StartupError(f"{self._paths[0]} changes while it is read; try again")

    def _look(self) -> State:
        """Return what differs once a file was changed or replaced."""
        return tuple(map(_look, self._paths))


def attempt(part: str, reload: Callable[[], None]) -> str:
    """Call `reload`, log and count how it went, and return why it failed, if it did."""
    error = ""
    try:
        reload()
    except StartupError as failure:
        error = str(failure)
    except Exception:
        error = "internal error; the server's log has the reason"
        log.exception("reload failed", part=part)
    note_outcome(part, error)
    return error


def note_outcome(part: str, error: str) -> None:
    """Log and count how reading a part again went; `error` is empty when it went well."""
    metrics.RELOADS.labels(part, "failed" if error else "done").inc()
    metrics.LAST_RELOAD_SUCCESSFUL.labels(part).set(not error)
    if error:
        log.error("not reloaded, going on with what was there", part=part, reason=error)
    else:
        log.info("reloaded", part=part)


def _look(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_readable(path: Path) -> None:
    """Raise StartupError for what would keep its reader for ever, or fill the memory; what can't be
    looked at is left to who reads it.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(found.st_mode):
        raise StartupError(f"{path} is no regular file; give the path of one")
    if found.st_size > MAX_FILE_BYTES:
        raise StartupError(
            f"{path} has {found.st_size} bytes, more than the {MAX_FILE_BYTES} that are read; give "
            "another file"
        )


def warn_if_readable(path: Path) -> None:
    """Log a warning when a secret lies open to every user of this machine."""
    if path.stat().st_mode & 0o004:
        log.warning("a secret can be read by everybody", file=str(path), remedy=f"chmod o-r {path}")
