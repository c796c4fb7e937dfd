"""Reloads the models while they are served: on file change, on a signal, and on request."""

import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import watchfiles

from server.errors import INTERNAL_MESSAGE, StartupError
from server.files.outcomes import note_outcome
from server.models.changes import STOPPING, UNLOAD, Change
from server.models.disk.folder import RETIRE_SECONDS
from server.models.loader import NOTHING, Loader
from server.models.model import Model
from server.models.passes import Refreshed
from server.models.repository import Models
from server.models.served import Served, describe, retire
from server.system import memory
from server.telemetry import metrics
from server.telemetry.version_stats import VERSIONS
from server.texts import shown

log = structlog.get_logger()

RESCAN_SECONDS = 10.0
"""How often to look at the repository anyway, since network file systems report no changes."""

DRAIN_SECONDS = 0.1
"""How often to check whether an unloaded version has ended its last run."""

GROUPED_MILLISECONDS = 500
"""Maximum time during which changes of files are collected before they trigger one reload."""

FILES_CHANGED, RESCAN, ASKED = "files changed", "rescan", "asked"

PART = "models"
"""The name of the models in reloads."""

GOES_ON = "are still being loaded"
"""Why the outcome of a reload is unknown."""

MAX_PROBLEMS = 5
"""Problems that one outcome lists; ListModels has all."""


@dataclass(slots=True)
class Request:
    """A request to reload the models; `outcome` is set to the reason of a failure, or to an empty
    text.
    """

    cause: str
    outcome: "Future[str]" = field(default_factory=Future)


Task = Request | Change


class ModelWatcher:
    """Loads models on a thread of its own, and swaps what is served as a whole.

    Runs in progress keep the models that they began with; those are released after the last.
    """

    def __init__(self, loader: Loader, served: Served) -> None:
        self._loader, self._served = loader, served
        self._problem = ""
        # Versions that are unloaded, by what returns None once their last run has ended.
        self._draining: dict[weakref.ref[Model], tuple[str, int]] = {}
        # How often to look at the repository anyway, and when the next time is; None is never.
        self._rescan_seconds: float | None = None
        self._look_time: float | None = None
        # `put` of this queue may interrupt itself, as in a signal handler.
        self._requests: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def first(self) -> Models:
        """Load and serve for the first time; raises StartupError."""
        refreshed = self._loader.first()
        self._swap(refreshed.models)
        self._served.progress.end()
        self._problem = _join_problems(refreshed)
        return refreshed.models

    def start(self, watched: Path | None) -> None:
        """Reload on requests and on changes in a folder, if any, on threads of their own."""
        metrics.LAST_RELOAD_SUCCESSFUL.labels(PART).set(not self._problem)
        self._rescan_seconds = None if watched is None else RESCAN_SECONDS
        self._plan_look(has_absent=False)
        self._threads = [threading.Thread(target=self._run, name="reload")]
        if watched is not None:
            self._threads.append(
                threading.Thread(target=self._watch, args=(watched,), name="watch")
            )
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether all threads run that were started."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Load nothing more, and swap nothing more.

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

        What has failed before is tried again. After `seconds` it returns that loading goes on.
        """
        request = Request(ASKED)
        self._requests.put(request)
        # The thread may have ended just before.
        if self._stop.is_set():
            return STOPPING
        try:
            return request.outcome.result(seconds)
        except TimeoutError:
            return (
                f"the models {GOES_ON} after {seconds:g} s; the log and "
                "mlpserve_last_reload_successful show the outcome"
            )

    def change(self, change: Change) -> None:
        """Load or unload a model, after all earlier requests."""
        self._requests.put(change)
        # The thread may have ended just before.
        if self._stop.is_set():
            self._refuse_all()

    def reload(self, cause: str) -> str:
        """Reload on this thread, and return why what is on disk is not in use; empty when it is.

        A request tries failed versions again; otherwise they are once their files have changed.
        """
        tried, before, has_absent = 1, self._served.models or NOTHING, False
        try:
            refreshed = self._loader.refresh(before, retry=cause == ASKED)
            if self._stop.is_set():
                return STOPPING
            self._swap(refreshed.models)
            problem, tried = _join_problems(refreshed), refreshed.tried
            has_absent = refreshed.has_absent
            if tried:
                memory.give_back()
        except StartupError as error:
            problem = str(error)
            # The same answer every few seconds is not news.
            tried = 0
        except Exception as error:
            problem = f"internal error ({type(error).__name__}); the server's log has the reason"
            log.exception("reload failed", cause=cause)
        finally:
            self._served.progress.end()
            self._plan_look(has_absent=has_absent)
        is_news = tried or problem != self._problem or set(before) != set(self._served.models or ())
        self._problem = problem
        if cause == ASKED or is_news:
            note_outcome(PART, problem)
        return problem

    def _change(self, change: Change) -> None:
        """Load or unload a model on this thread."""

        def act(name: str) -> str:
            before = self._served.models or NOTHING
            act = self._loader.unload if change.kind == UNLOAD else self._loader.load
            try:
                refreshed = act(before, name)
                if self._stop.is_set():
                    return STOPPING
                self._swap(refreshed.models)
            finally:
                self._served.progress.end()
            if change.kind == UNLOAD and name in before.by_name:
                for version in before.by_name[name].by_number:
                    # If it is loaded again, its counts start from zero.
                    VERSIONS.retire(name, version)
            if refreshed.tried:
                memory.give_back()
            return _join_problems(refreshed)

        change.make(act)

    def _swap(self, models: Models) -> None:
        gone = self._served.swap(models)
        self._draining |= {weakref.ref(model): (model.name, model.version) for model in gone}
        describe(models, gone)
        for model in gone:
            log.info("model unloaded", model=model.name, version=model.version)

    def _plan_look(self, *, has_absent: bool) -> None:
        """Plan the next look at the repository, soon if versions have to be gone for a while."""
        seconds = RETIRE_SECONDS if has_absent else self._rescan_seconds
        self._look_time = None if seconds is None else time.monotonic() + seconds

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._do(self._wait())
                # One change may follow the other without a pause.
                self._note_released()
            # Without this thread no version would ever be loaded again.
            except Exception as error:  # noqa: BLE001  # logged, if that can be done
                _try_to_log("reloading failed", reason=shown(repr(error)), exc_info=True)
        self._refuse_all()

    def _wait(self) -> list[Task]:
        """Return all that has been asked for, or else a look at the repository once one is due.

        There is nothing in it when it is time to see what unloaded versions still run, and at the
        end.
        """
        now = time.monotonic()
        pauses = [] if self._look_time is None else [max(0.0, self._look_time - now)]
        pauses += [DRAIN_SECONDS] if self._draining else []
        requests: list[Task] = []
        try:
            following = self._requests.get(timeout=min(pauses, default=None))
            # Those that came meanwhile are answered by one look at the disk.
            while following is not None:
                requests.append(following)
                following = self._requests.get_nowait()
        except queue.Empty:
            is_due = self._look_time is not None and time.monotonic() >= self._look_time
            if not requests and is_due:
                requests.append(Request(RESCAN))
        return requests

    def _refuse_all(self) -> None:
        """Answer the requests that came too late."""
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._requests.get_nowait()
                if isinstance(task, Change):
                    task.make(lambda _name: STOPPING)
                elif task is not None:
                    task.outcome.set_result(STOPPING)

    def _do(self, tasks: Sequence[Task]) -> None:
        """Carry out requests in order; consecutive reloads become one."""
        reloads: list[Request] = []
        for task in tasks:
            if isinstance(task, Request):
                reloads.append(task)
                continue
            if reloads:
                self._answer(reloads)
                reloads = []
            self._change(task)
        if reloads:
            self._answer(reloads)

    def _answer(self, requests: Sequence[Request]) -> None:
        """Reload once for several requests."""
        causes = [request.cause for request in requests]
        problem = INTERNAL_MESSAGE
        try:
            problem = self.reload(ASKED if ASKED in causes else causes[0])
        finally:
            for request in requests:
                request.outcome.set_result(problem)

    def _note_released(self) -> None:
        """Retire the versions that have ended their last run."""
        released = [self._draining.pop(ref) for ref in list(self._draining) if ref() is None]
        alive = {(model.name, model.version) for model in self._served.models or ()}
        alive |= {*self._draining.values()}
        for name, version in released:
            if (name, version) not in alive:
                retire(name, version)
            log.info("model released", model=name, version=version)
        if released:
            memory.give_back()

    def _watch(self, folder: Path) -> None:
        """Wake the other thread when files change, as long as the system reports changes."""
        while not self._stop.is_set():
            reason = "the watch has ended"
            try:
                for _ in watchfiles.watch(
                    folder,
                    watch_filter=None,
                    debounce=GROUPED_MILLISECONDS,
                    stop_event=self._stop,
                    raise_interrupt=False,
                ):
                    self.wake(FILES_CHANGED)
            # The library is written in Rust, whose panics are not Exceptions.
            except BaseException as error:  # noqa: BLE001  # logged, if that can be done
                reason = f"{type(error).__name__}: {error}"
            if not self._stop.is_set():
                _try_to_log(
                    "repository is not watched, only scanned now and then",
                    seconds=RESCAN_SECONDS,
                    reason=shown(reason),
                )
            self._stop.wait(RESCAN_SECONDS)


def _join_problems(refreshed: Refreshed) -> str:
    """Return the problems of a pass over the repository as one text."""
    problems = refreshed.problems
    more = len(problems) - MAX_PROBLEMS
    return "; ".join([*problems[:MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])


def _try_to_log(event: str, **values: object) -> None:
    """Log a warning; the thread goes on even if logging fails."""
    with contextlib.suppress(Exception):
        log.warning(event, **values)
