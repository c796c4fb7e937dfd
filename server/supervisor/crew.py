"""The workers: restarted when they exit, replaced one by one on request, and stopped in order."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import structlog

from server.errors import StartupError
from server.reasons.processes import RESTARTS, EndReason, RestartReason
from server.settings.settings import Settings
from server.supervisor.control import PAYLOAD, Message
from server.supervisor.polls import Polls
from server.supervisor.process import Child
from server.supervisor.slot import Slot

log = structlog.get_logger()

CHANGES = ("load", "unload")
"""Questions that change the models; a worker that still starts is asked too."""

END_SECONDS = 5.0
"""How long a worker may take to exit beyond its grace period."""


class Crew:
    """All workers; the parent passes on their messages and exits, and the time.

    `start` starts a worker for a slot, which must not load some files nor serve some models, and
    which is told the default model of those before it, if any has served; or raises OSError.
    `on_served` is called once, as soon as calls are answered, with the name of the default model.
    `on_metrics` gets a worker's answer to a question, None if there will be none.
    """

    def __init__(
        self,
        settings: Settings,
        workers: Iterable[Child],
        start: Callable[[int, Sequence[list[Any]], Sequence[str], str | None], Child],
        on_served: Callable[[str | None], None],
        on_metrics: Callable[[str, bytes | None], None],
    ) -> None:
        self._settings = settings
        self._start_worker = start
        self._on_served, self._on_metrics = on_served, on_metrics
        self.slots = [Slot(worker.number, worker) for worker in workers]
        # Files that workers were loading when they crashed.
        self._crashed: list[list[Any]] = []
        # Names of models that new workers must not serve.
        self._unloaded: set[str] = set()
        self._polls = Polls()
        self._leaving: set[Child] = set()
        self._rolling: deque[Slot] = deque()
        self._is_rolling = False
        self._is_serving = self._has_served = self.is_stopping = False
        self._default_model: str | None = None
        self.calls_started = self.calls_handled = 0
        self.restarts = Counter[RestartReason](dict.fromkeys(RESTARTS, 0))

    @property
    def is_ready(self) -> bool:
        """Whether some worker answers calls, and the server is not stopping."""
        return not self.is_stopping and bool(self.ready())

    def children(self) -> list[Child]:
        """Return all workers that have not exited."""
        held = [child for slot in self.slots for child in (slot.child, slot.successor) if child]
        return [*held, *self._leaving]

    def ready(self) -> list[Child]:
        """Return the workers that answer calls."""
        return [slot.child for slot in self.slots if slot.child and slot.child.is_ready]

    def ask_metrics(self, number: int, question: str) -> bool:
        """Ask a worker for its metrics; returns whether there is one to ask."""
        for worker in self.ready():
            if worker.number == number:
                worker.asked.add(question)
                worker.control.send(do="metrics", question=question)
                return True
        return False

    def reload(self, already: Collection[Child] = ()) -> None:
        """Have all workers reload, except those that already do."""
        self._crashed.clear()
        for worker in self.children():
            if worker not in already:
                worker.control.send(do="reload")

    def roll(self) -> None:
        """Replace all workers, one by one."""
        if self._is_serving and not self.is_stopping:
            log.info("rolling restart", workers=len(self.slots))
            self._rolling, self._is_rolling = deque(self.slots), True

    def on_message(self, worker: Child, message: Message, now: float) -> None:
        """Act on a worker's message; raises an error for an invalid one."""
        slot = self.slots[worker.number]
        match message["event"]:
            case "pong":
                worker.take_pong(message)
            case "ready":
                worker.ready_time = now
                self._on_ready(slot, worker, message["default_model"], now)
            case "takes_over":
                # Before it is ready, since only one of them can listen.
                if worker is slot.successor:
                    predecessor, slot.child = slot.child, None
                    self._let_go(predecessor, now)
            case "loading":
                worker.loading = message["file"]
            case "failed":
                worker.error = str(message["error"])
            case "metrics" | "ask_all" | "told":
                self._on_question(worker, message, now)
            case "stopped":
                self.calls_started += message["calls_started"]
                self.calls_handled += message["calls_handled"]
            case unknown:
                raise ValueError(f"the event {unknown!r} is unknown")

    def _on_question(self, worker: Child, message: Message, now: float) -> None:
        match message["event"]:
            case "ask_all":
                self._ask_all(worker, message, now)
            case "told":
                self._polls.take(worker, message)
            case "metrics":
                worker.asked.discard(message["question"])
                self._on_metrics(message["question"], message.get(PAYLOAD, b""))

    def _ask_all(self, asker: Child, message: Message, now: float) -> None:
        """Ask all workers on behalf of one.

        For a change that is all but those that are leaving: one that is told while it starts will
        have made the change when its models answer calls.
        """
        workers, name = self.ready(), str(message["of"])
        if message["subject"] in CHANGES:
            workers = [worker for worker in self.children() if worker not in self._leaving]
        if message["subject"] == "reload":
            # Those that start do it afterwards, and nobody waits for that.
            self.reload(workers)
        elif message["subject"] == "unload":
            self._unloaded.add(name)
        elif message["subject"] == "load":
            self._unloaded.discard(name)
            # It is tried again by all of them.
            self._crashed = [file for file in self._crashed if file[0] != name]
        self._polls.begin(asker, message, workers, now)

    def _on_ready(self, slot: Slot, worker: Child, default_model: str | None, now: float) -> None:
        self._has_served, self._default_model = True, default_model
        if worker is slot.successor:
            predecessor, slot.child, slot.successor = slot.child, worker, None
            self._let_go(predecessor, now)
        if self._is_serving:
            log.info("worker ready", worker=worker.number, pid=worker.process.pid)
        self._note_serving()
        self._note_rolled()

    def _note_serving(self) -> None:
        """Report serving once a worker answers calls, and each other does or has failed."""
        settled = all(
            slot.failed_starts or (slot.child is not None and slot.child.is_ready)
            for slot in self.slots
        )
        if settled and self.ready() and not self._is_serving and not self.is_stopping:
            self._is_serving = True
            self._on_served(self._default_model)

    def _note_rolled(self) -> None:
        """Report the end of a rolling restart once all workers have been replaced."""
        is_over = not (self._rolling or self._leaving or any(s.successor for s in self.slots))
        if self._is_rolling and is_over and not self.is_stopping:
            self._is_rolling = False
            log.info("rolling restart done")

    def _let_go(self, worker: Child | None, now: float) -> None:
        """Stop a worker, if there is one, whose calls go to others from now on.

        Its health stays SERVING: load balancers would give up the address that all workers share.
        """
        if worker is not None:
            self._leaving.add(worker)
            worker.stop(now + self._settings.stop_grace_seconds + END_SECONDS)
            self.restarts["rolled"] += 1

    def on_end(self, worker: Child, exit_code: int, now: float) -> None:
        """Note that a worker has exited; raises StartupError when none can be started."""
        slot = self.slots[worker.number]
        self._polls.on_end(worker)
        asked, worker.asked = worker.asked, set()
        for question in asked:
            self._on_metrics(question, None)
        is_wanted = worker not in self._leaving and not self.is_stopping
        if is_wanted and worker.loading and worker.loading not in self._crashed:
            self._crashed.append(worker.loading)
        if worker in self._leaving:
            self._leaving.remove(worker)
        elif worker is slot.child:
            slot.child = None
            if not self.is_stopping:
                self._replace(slot, worker, exit_code, now)
        elif worker is slot.successor:
            slot.successor = None
            if not self.is_stopping:
                self._give_up_rolling(slot, worker, exit_code, now)
        self._note_rolled()

    def _give_up_rolling(self, slot: Slot, worker: Child, exit_code: int, now: float) -> None:
        self._rolling.clear()
        self._is_rolling = False
        if slot.child is None:
            self._replace(slot, worker, exit_code, now)
        log.error(
            "rolling restart aborted, because the new worker did not start",
            worker=worker.number,
            exit_code=exit_code,
            error=worker.error,
        )

    def _replace(self, slot: Slot, worker: Child, exit_code: int, now: float) -> None:
        """Have a worker that has exited by itself replaced."""
        slot.child, slot.successor = slot.successor, None
        if worker.error and not self._has_served:
            raise StartupError(worker.error)
        self._put_off(slot, worker.ready_time, *cause(worker, exit_code), now)

    def _put_off(
        self, slot: Slot, ready_time: float | None, reason: EndReason, error: str, now: float
    ) -> None:
        """Plan a restart; raises StartupError if all slots had too many, and none ever served."""
        delay = slot.note_end(now, ready_time)
        if all(other.is_hopeless for other in self.slots) and not self._has_served:
            raise StartupError(
                f"worker {slot.number} failed to start {slot.failed_starts} times in a row; the "
                f"last error: {error}"
            )
        self.restarts[reason] += 1
        log.warning(
            "worker ended", worker=slot.number, reason=reason, error=error, restart_seconds=delay
        )
        self._note_serving()

    def tend(self, now: float) -> None:
        """Start the workers that are due; raises StartupError when none can be started."""
        self._polls.expire(now)
        if self.is_stopping:
            return
        for slot in self.slots:
            if slot.child is None and slot.successor is None and now >= slot.restart_time:
                slot.child = self._start(slot, now)
        if self._rolling and not self._leaving and not any(slot.successor for slot in self.slots):
            slot = self._rolling.popleft()
            # A worker that does not answer calls yet is new already.
            if slot.child is not None and slot.child.is_ready:
                slot.successor = self._start(slot, now)

    def _start(self, slot: Slot, now: float) -> Child | None:
        """Start a worker for a slot; None if that has failed and is tried again later."""
        try:
            unloaded = sorted(self._unloaded)
            default = (self._default_model or "") if self._has_served else None
            return self._start_worker(slot.number, self._crashed, unloaded, default)
        except OSError as error:
            self._put_off(slot, None, "failed", f"can't start a process: {error.strerror}", now)
            return None

    def drain(self) -> None:
        """Have health turn NOT_SERVING; from now on no worker is replaced."""
        self.is_stopping = True
        for worker in self.children():
            worker.control.send(do="drain")

    def stop(self, now: float) -> None:
        """Stop all workers, within the grace period those that may have calls."""
        for worker in self.children():
            if worker.ready_time is None:
                # It has no calls, and may be busy loading for long.
                worker.process.kill()
            elif worker.deadline is None:
                worker.stop(now + self._settings.stop_grace_seconds + END_SECONDS)


def cause(child: Child, exit_code: int) -> tuple[EndReason, str]:
    """Return why a process has exited by itself: the metric's reason, and a description."""
    end = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    if child.loading:
        end += f" while it loaded {child.loading[0]} {child.loading[1]}"
    if child.is_hung:
        reason: EndReason = "hung"
    elif child.error:
        reason = "failed"
    else:
        reason = "killed" if exit_code < 0 else "exited"
    return reason, child.error or f"it ended with {end}"
