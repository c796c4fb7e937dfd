"""The parts of the server that can be read again while it runs: files and models."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import structlog

from server.files.outcomes import Outcome, attempt
from server.files.watched_files import WatchedFiles
from server.telemetry import metrics

log = structlog.get_logger()

WATCH_SECONDS = 1.0
"""How often files are checked for changes."""

ASK_SECONDS = 4.0
"""How long a caller that asks for a reload waits for models to load."""


class ReloadRegistry:
    """Reads parts again on request, and watched files when they change; for any thread."""

    def __init__(self) -> None:
        self._parts: dict[str, Callable[[float], str]] = {}
        self._watched: list[Callable[[], None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def follow(self, part: str, ask: Callable[[float], str]) -> None:
        """Have `run` ask a part that reloads itself, and notes how that went, to do so now.

        `ask` gets the seconds that it may take, and returns why it failed, empty if it did not.
        """
        self._parts[part] = ask

    def watch(self, files: WatchedFiles[Any]) -> None:
        """Have `run` read files again, and check once a second whether they have changed."""
        self._parts[files.part] = lambda _seconds: attempt(files.part, files.reload)
        self._watched.append(files.refresh)
        metrics.LAST_RELOAD_SUCCESSFUL.labels(files.part).set(1)

    def start(self) -> None:
        """Watch files, if there are any, on a thread of its own."""
        if self._watched:
            self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread that watches files runs, or there is nothing to watch."""
        return not self._watched or self._thread.is_alive()

    def stop(self) -> None:
        """Stop watching, without waiting for what is being read."""
        self._stop.set()

    def run(self, seconds: float = ASK_SECONDS) -> list[Outcome]:
        """Read every part again; those that fail keep what they had, and the others go on.

        Parts that reload themselves are waited for at most so many seconds.
        """
        return [Outcome(part, reload(seconds)) for part, reload in list(self._parts.items())]

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            for refresh in self._watched:
                try:
                    refresh()
                except Exception:
                    # Without this thread no file would ever be read again.
                    with contextlib.suppress(Exception):
                        log.exception("checking files for changes failed")
