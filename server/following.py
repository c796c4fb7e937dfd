"""Follows the repository while it is served: on file change, on a signal, and when asked."""

import queue
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
import watchfiles

from server import memory, metrics
from server.errors import StartupError
from server.loading import Loader
from server.model import Model
from server.repository import Models

log = structlog.get_logger()

RESCAN_SECONDS = 10.0
"""How often to look without having been told, since network file systems tell nothing."""

DRAIN_SECONDS = 0.1
"""How often to look whether an unloaded version has ended its last run."""

GROUPED_MILLISECONDS = 500
"""Changes of files are waited for that long at most, until none comes for a while."""

FILES_CHANGED, RESCAN = "files changed", "rescan"


@dataclass(frozen=True, slots=True)
class Draining:
    """A version that is not loaded any more; `model` is None once its last run has ended."""

    name: str
    version: int
    model: "weakref.ref[Model]"


class Reloader:
    """Loads models on a thread of its own and hands them to `publish` in one piece.

    Runs in progress keep the models that they began with; those are released after the last.
    """

    def __init__(self, loader: Loader, publish: Callable[[Models], None]) -> None:
        self._loader, self._publish = loader, publish
        self._models: Models | None = None
        self._draining: list[Draining] = []
        self._lock = threading.Lock()
        # Its `put` may interrupt itself, as a signal handler does.
        self._causes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stop_watching = threading.Event()
        self._threads: list[threading.Thread] = []

    def first(self) -> Models:
        """Load and publish for the first time; raises StartupError."""
        with self._lock:
            return self._swap(self._loader.first())

    def start(self, watched: Path | None) -> None:
        """Follow the files of a folder, if any, and what `wake` says, on threads of their own."""
        self._threads = [threading.Thread(target=self._run, args=(watched,), name="reload")]
        if watched is not None:
            self._threads.append(
                threading.Thread(target=self._watch, args=(watched,), name="watch")
            )
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """Load nothing more."""
        self._causes.put(None)
        self._stop_watching.set()
        for thread in self._threads:
            thread.join()

    def wake(self, cause: str) -> None:
        """Reload soon; may be called by a signal handler."""
        self._causes.put(cause)

    def reload(self, cause: str) -> Models | None:
        """Reload now, on this thread, and return what is loaded then.

        Somebody who asks wants failed versions tried again; otherwise they are once their files
        have changed.
        """
        with self._lock:
            try:
                models = self._loader.refresh(retry=cause not in (FILES_CHANGED, RESCAN))
            except StartupError as error:
                log.error("reload failed", cause=cause, message=str(error))
                return self._models
            return self._swap(models)

    def _swap(self, models: Models) -> Models:
        before = list(self._models or ())
        self._models = models
        self._publish(models)
        after = set(models)
        metrics.describe_models(before, after)
        for model in before:
            if model not in after:
                log.info("model unloaded", model=model.name, version=model.version)
                self._draining.append(Draining(model.name, model.version, weakref.ref(model)))
        return models

    def _run(self, watched: Path | None) -> None:
        idle_seconds = None if watched is None else RESCAN_SECONDS
        while True:
            try:
                cause = self._causes.get(timeout=DRAIN_SECONDS if self._draining else idle_seconds)
            except queue.Empty:
                if self._draining:
                    self._note_released()
                    continue
                cause = RESCAN
            if cause is None:
                return
            log.debug("reload", cause=cause)
            try:
                self.reload(cause)
            except Exception:
                log.exception("reload failed", cause=cause)
            # One change may follow the other without a pause.
            self._note_released()

    def _note_released(self) -> None:
        """Forget the versions that have ended their last run."""
        with self._lock:
            released = [version for version in self._draining if version.model() is None]
            self._draining = [one for one in self._draining if one.model() is not None]
            alive = {(model.name, model.version) for model in self._models or ()}
            alive |= {(version.name, version.version) for version in self._draining}
            for version in released:
                if (version.name, version.version) not in alive:
                    metrics.forget_version(version.name, version.version)
        for version in released:
            log.info("model released", model=version.name, version=version.version)
        if released:
            memory.give_back()

    def _watch(self, folder: Path) -> None:
        try:
            for _ in watchfiles.watch(
                folder,
                watch_filter=None,
                debounce=GROUPED_MILLISECONDS,
                stop_event=self._stop_watching,
                raise_interrupt=False,
            ):
                self.wake(FILES_CHANGED)
        except (OSError, RuntimeError) as error:
            log.warning(
                "repository is not watched, only looked at now and then",
                seconds=RESCAN_SECONDS,
                reason=str(error),
            )
