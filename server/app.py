"""Assembles a worker: settings in, answered calls out."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

import structlog

from server.files import outcomes
from server.files.reload_registry import ReloadRegistry
from server.models import changes, watcher
from server.models.journal import Journal
from server.models.loader import Loader
from server.models.model import load_model
from server.models.policy import read_policies
from server.models.served import Served
from server.models.watcher import ModelWatcher
from server.rpc import admin
from server.rpc.endpoint import Endpoint
from server.rpc.inference import statistics
from server.rpc.inference.asking import AskAll
from server.settings.settings import Settings
from server.system import memory
from server.system.threads import Threads

log = structlog.get_logger()

END_SECONDS = 0.5
"""How long a stop waits for threads that read files; one that is still loading is left behind."""


class Server:
    """What answers gRPC in one worker, from `start` to `stop`."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal | None = None,
        ask_all: AskAll | None = None,
        unloaded: Iterable[str] = (),
        default_model: str | None = None,
    ) -> None:
        """The journal reports to the parent what is being loaded; `ask_all` asks all workers, each
        of which calls `answer`; `unloaded` models are not served. `default_model` is that of
        earlier workers, None when there were none.
        """
        self.settings = settings
        self._ask_all = ask_all or self._ask_alone
        self.default_model: str | None = None
        self.is_started = self._is_draining = self._is_stopping = False
        self._reloads = ReloadRegistry()
        self._reloading = Threads(1, "reload")
        policies = read_policies(
            settings.versions, settings.labels, settings.traffic, settings.shadow
        )
        load = partial(load_model, max_bytes=settings.max_model_bytes)
        self._served = Served(policies=policies)
        loader = Loader(
            settings.repository,
            settings.default_model if default_model is None else default_model,
            policies,
            load,
            journal,
            unloaded,
            self._served.progress,
            is_successor=default_model is not None,
        )
        self._watcher = ModelWatcher(loader, self._served)

    def start(self, make_room: Callable[[], None] = lambda: None) -> None:
        """Load the models, then answer calls; raises StartupError when that can't be done.

        `make_room` has a predecessor stop listening, where only one can.
        """
        # It listens last: until then other workers may answer.
        self._grpc = Endpoint(self.settings, self._reloads, self._served, self._ask_all)
        self.default_model = self._watcher.first().default
        memory.freeze()
        self._watcher.start(self.settings.repository if self.settings.watch == "on" else None)
        self._reloads.follow(watcher.PART, self._watcher.ask)
        self._reloads.start()
        self.is_started = True
        self._grpc.set_ready(True)
        # A drain may have begun meanwhile.
        if self._is_draining:
            self._grpc.set_ready(False)
        self._grpc.start(make_room)

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here; for any thread, also while `start`
        runs.
        """
        self._is_draining = not ready
        if self.is_started:
            self._grpc.set_ready(ready)

    def missing_threads(self) -> list[str]:
        """Return which of the threads that the server can't do without have ended."""
        # A stop ends them one by one.
        if self._is_stopping:
            return []
        parts = (self._watcher.is_alive, self._reloads.is_alive, self._reloading.are_alive)
        are_alive = all(parts)
        return self._grpc.missing_threads() + ([] if are_alive else ["reload or watch"])

    def silent_seconds(self) -> float:
        """Return how long calls have made no progress; for one thread that asks often."""
        return 0.0 if self._is_stopping else self._grpc.silent_seconds()

    def reload(self) -> None:
        """Read changed files again, as on SIGHUP."""
        log.info("reloading")
        # Models may take long to load, and the outcome is logged.
        self._reloads.run(seconds=0)

    def answer(self, subject: str, name: str, reply: Callable[[bytes], None]) -> None:
        """Answer a worker's question, at once or later; for one thread."""
        match subject:
            case statistics.SUBJECT:
                reply(statistics.count_here())
            case admin.RELOAD:
                log.info("reloading")
                self._reloading.submit(lambda: reply(outcomes.pack(self._reloads.run())))
            case changes.LOAD | changes.UNLOAD:
                outcome: Future[changes.Outcome] = Future()
                outcome.add_done_callback(lambda done: reply(done.result().pack()))
                self._watcher.change(changes.Change(subject, name, outcome))
            case _:
                raise ValueError(f"the subject {subject!r} is unknown")

    def _ask_alone(self, subject: str, name: str, seconds: float) -> list[tuple[int, bytes | None]]:
        answer: Future[bytes] = Future()
        self.answer(subject, name, answer.set_result)
        return [(0, answer.result(seconds))]

    def stop(self) -> bool:
        """Refuse new calls, and let those in progress end within the grace period.

        Returns whether no thread is left behind, as one is that still loads a model.
        """
        self._is_stopping = True
        # Before waiting for calls, so that nothing new begins.
        self._watcher.stop()
        self._reloads.stop()
        self._grpc.stop(self.settings.stop_grace_seconds)
        return self._watcher.wait(END_SECONDS)
