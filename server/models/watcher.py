"""Follows the repository while it is served: on file change, on a signal, and when asked."""

import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
import watchfiles

from server.errors import StartupError
from server.files.outcomes import note_outcome
from server.models.loader import Refreshed
from server.models.model import Model
from server.models.repository import Models
from server.system import memory
from server.telemetry import metrics
from server.texts import shown

log = structlog.get_logger()

RESCAN_SECONDS = 10.0
"""How often to look without having been told, since network file systems tell nothing."""

DRAIN_SECONDS = 0.1
"""How often to look whether an unloaded version has ended its last run."""

GROUPED_MILLISECONDS = 500
"""Changes of files are waited for that long at most, until none comes for a while."""

FILES_CHANGED, RESCAN, ASKED = "files changed", "rescan", "asked"

PART = "models"
"""What reloads call the models."""

STOPPING = "the server stops"
GOES_ON = "are still being loaded"
"""Why nothing can be said of a reload."""

MAX_PROBLEMS = 5
"""Versions whose problems one outcome tells; ListModels has all."""


class Loads(Protocol):
    """What loads models; see `loading.Loader`."""

    def first(self) -> Refreshed:
        """Load for the first time; raises StartupError."""
        ...

    def refresh(self, retry: bool) -> Refreshed:
        """Load what has changed, and with `retry` what has failed; raises StartupError."""
        ...


@dataclass(frozen=True, slots=True)
class Draining:
    """A version that is not loaded any more; `model` is None once its last run has ended."""

    name: str
    version: int
    model: "weakref.ref[Model]"


@dataclass(slots=True)
class Request:
    """Somebody wants the models to be reloaded; `outcome` becomes why that failed, or empty."""

    cause: str
    outcome: "Future[str]" = field(default_factory=Future)


class Reloader:
    """Loads models on a thread of its own and hands them to `publish` in one piece.

    Runs in progress keep the models that they began with; those are released after the last.
    """

    def __init__(self, loader: Loads, publish: Callable[[Models], None]) -> None:
        self._loader, self._publish = loader, publish
        self._models: Models | None = None
        self._problem = ""
        self._draining: list[Draining] = []
        # Its `put` may interrupt itself, as a signal handler does.
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def first(self) -> Models:
        """Load and publish for the first time; raises StartupError."""
        refreshed = self._loader.first()
        self._swap(refreshed.models)
        self._problem = _tell(refreshed)
        return refreshed.models

    def start(self, watched: Path | None) -> None:
        """Follow the files of a folder, if any, and what `wake` says, on threads of their own."""
        metrics.LAST_RELOAD_SUCCESSFUL.labels(PART).set(not self._problem)
        self._threads = [threading.Thread(target=self._run, args=(watched,), name="reload")]
        if watched is not None:
            self._threads.append(
                threading.Thread(target=self._watch, args=(watched,), name="watch")
            )
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether all threads run that were started; a load in progress is none of their ends."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Load nothing more, and publish nothing.

        A load in progress is not waited for: it may take long, and ends with the process.
        """
        self._stop.set()
        self._requests.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait for the threads to end after `stop`; returns whether they have in that time."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def wake(self, cause: str) -> None:
        """Reload soon; may be called by a signal handler."""
        self._requests.put(Request(cause))

    def ask(self, seconds: float) -> str:
        """Reload now, and return why what is on disk is not in use; empty when it is.

        What has failed before is tried again. After so many seconds, says that it takes longer.
        """
        if self._stop.is_set():
            return STOPPING
        request = Request(ASKED)
        self._requests.put(request)
        try:
            return request.outcome.result(seconds)
        except TimeoutError:
            return (
                f"the models {GOES_ON} after {seconds:g} s; the log and "
                "mlpserve_last_reload_successful tell how that ends"
            )

    def reload(self, cause: str) -> str:
        """Reload on this thread, and return why what is on disk is not in use; empty when it is.

        Somebody who asks wants failed versions tried again; otherwise they are once their files
        have changed.
        """
        tried, before = 1, self._models
        try:
            refreshed = self._loader.refresh(retry=cause == ASKED)
            if self._stop.is_set():
                return STOPPING
            self._swap(refreshed.models)
            problem, tried = _tell(refreshed), refreshed.tried
            if tried:
                memory.give_back()
        except StartupError as error:
            problem = str(error)
            # The same answer every few seconds is no news.
            tried = 0
        except Exception as error:
            problem = f"internal error ({type(error).__name__}); the server's log has the reason"
            log.exception("reload failed", cause=cause)
        is_news = tried or problem != self._problem or _differ(before, self._models)
        self._problem = problem
        if cause == ASKED or is_news:
            note_outcome(PART, problem)
        return problem

    def _swap(self, models: Models) -> None:
        before = list(self._models or ())
        self._publish(models)
        self._models = models
        after = set(models)
        gone = [model for model in before if model not in after]
        self._draining += [Draining(its.name, its.version, weakref.ref(its)) for its in gone]
        metrics.describe_models(before, after)
        for model in gone:
            log.info("model unloaded", model=model.name, version=model.version)

    def _run(self, watched: Path | None) -> None:
        idle_seconds = None if watched is None else RESCAN_SECONDS
        while not self._stop.is_set():
            try:
                requests = self._wait(DRAIN_SECONDS if self._draining else idle_seconds)
                if requests:
                    self._answer(requests)
                # One change may follow the other without a pause.
                self._note_released()
            # Without this thread no version would ever be loaded again.
            except Exception as error:  # noqa: BLE001  # logged, if that can be done
                _try_to_log("reloading failed", reason=shown(repr(error)), exc_info=True)
        self._refuse_all()

    def _wait(self, seconds: float | None) -> list[Request]:
        """Return all requests that have come, the first within some time.

        When none comes for long, that is one as well; none are returned while versions are to be
        looked after that still run, nor at the end.
        """
        requests: list[Request] = []
        try:
            following = self._requests.get(timeout=seconds)
            # Those that came meanwhile are answered by one look at the disk.
            while following is not None:
                requests.append(following)
                following = self._requests.get_nowait()
        except queue.Empty:
            if not requests and not self._draining:
                requests.append(Request(RESCAN))
        return requests

    def _refuse_all(self) -> None:
        """Answer those that have come too late."""
        with contextlib.suppress(queue.Empty):
            while True:
                if request := self._requests.get_nowait():
                    request.outcome.set_result(STOPPING)

    def _answer(self, requests: Sequence[Request]) -> None:
        """Reload once for several requests."""
        causes = [request.cause for request in requests]
        problem = "internal error; the server's log has the reason"
        try:
            problem = self.reload(ASKED if ASKED in causes else causes[0])
        finally:
            for request in requests:
                request.outcome.set_result(problem)

    def _note_released(self) -> None:
        """Forget the versions that have ended their last run."""
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
        """Wake the other thread when files change, as long as that can be told."""
        while not self._stop.is_set():
            reason = "it ended by itself"
            try:
                for _ in watchfiles.watch(
                    folder,
                    watch_filter=None,
                    debounce=GROUPED_MILLISECONDS,
                    stop_event=self._stop,
                    raise_interrupt=False,
                ):
                    self.wake(FILES_CHANGED)
            # The library is Rust, whose panics are no Exceptions.
            except BaseException as error:  # noqa: BLE001  # logged, if that can be done
                reason = f"{type(error).__name__}: {error}"
            if not self._stop.is_set():
                _try_to_log(
                    "repository is not watched, only looked at now and then",
                    seconds=RESCAN_SECONDS,
                    reason=shown(reason),
                )
            self._stop.wait(RESCAN_SECONDS)


def _tell(refreshed: Refreshed) -> str:
    """Return the problems of a look at the repository as one text."""
    problems = refreshed.problems
    more = len(problems) - MAX_PROBLEMS
    return "; ".join([*problems[:MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])


def _differ(before: Models | None, after: Models | None) -> bool:
    """Whether other versions are loaded than before."""
    return {*(before or ())} != {*(after or ())}


def _try_to_log(event: str, **values: object) -> None:
    """Log a warning; whatever may be wrong with the log, the thread goes on."""
    with contextlib.suppress(Exception):
        log.warning(event, **values)
