"""The parent's main loop: watches the workers, restarts them, and ends them in order."""

import contextlib
import selectors
import signal
import time
from collections import deque
from concurrent import futures

import structlog

from server.errors import StartupError
from server.http.listener import Listener
from server.http.pages import build_pages
from server.series import Family
from server.workers import metrics, process
from server.workers.control import Message
from server.workers.families import unpack
from server.workers.launch import Launched
from server.workers.process import Worker
from server.workers.signals import STOP
from server.workers.slot import Slot

log = structlog.get_logger()

TICK_SECONDS = 0.1
"""How often the parent looks after the workers when nothing happens."""

PING_SECONDS = 1.0
SCRAPE_SECONDS = 1.0
"""How long a page of metrics waits for a worker."""

END_SECONDS = 5.0
"""What a worker may take to end beyond its grace period."""


class Supervisor:
    """Looks after the workers: `run` is startup, then the main loop, then shutdown."""

    def __init__(self, launched: Launched) -> None:
        self._settings = launched.settings
        self._launched = launched
        self._slots = [Slot(worker.number, worker) for worker in launched.workers]
        self._leaving: set[Worker] = set()
        self._rolling: deque[Slot] = deque()
        self._stops = 0
        self._is_serving = self._is_stopping = False
        self._ping_time = 0.0
        self._calls_started = self._calls_handled = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(launched.signals, selectors.EVENT_READ)
        for worker in launched.workers:
            self._selector.register(worker.control, selectors.EVENT_READ, worker)
        page = metrics.Page(self._ask_metrics)
        self._http = Listener(launched.http, build_pages(page.write, lambda: self.is_ready))
        metrics.WANTED.set(len(self._slots))
        metrics.READY.set_function(lambda: len(self._ready()))

    @property
    def is_ready(self) -> bool:
        """Whether the port answers calls, because some worker does, and is to go on doing so."""
        return not self._is_stopping and bool(self._ready())

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises StartupError when no worker can be started."""
        self._http.start()
        try:
            while not self._stops:
                self._turn()
            self._shut_down()
        finally:
            for worker in self._workers():
                worker.process.kill()
                worker.end(END_SECONDS)
            self._http.stop()
            self._selector.close()
            self._launched.resources.close()
        log.info("stopped", calls_started=self._calls_started, calls_handled=self._calls_handled)

    def _workers(self) -> list[Worker]:
        held = [worker for slot in self._slots for worker in (slot.worker, slot.successor)]
        return [*(worker for worker in held if worker is not None), *self._leaving]

    def _ready(self) -> list[Worker]:
        """Return the workers that answer calls; for any thread."""
        held = [slot.worker for slot in self._slots]
        return [worker for worker in held if worker is not None and worker.ready_time is not None]

    def _turn(self) -> None:
        """Wait for something to happen, for a tick at most, and see to it."""
        for key, _ in self._selector.select(TICK_SECONDS):
            if key.data is None:
                self._take_signals()
            else:
                self._listen(key.data)
        now = time.monotonic()
        for worker in self._workers():
            if worker.deadline is not None and now > worker.deadline:
                log.warning("worker killed, as it did not end", worker=worker.number)
                worker.deadline = None
                worker.process.kill()
        if self._is_stopping:
            return
        for slot in self._slots:
            if slot.worker is None and now >= slot.restart_time:
                slot.worker = self._start(slot)
        self._ping(now)
        self._roll()

    def _take_signals(self) -> None:
        for number in self._launched.signals.take():
            if number in STOP:
                self._stops += 1
            elif number == signal.SIGHUP:
                self._reload()
            elif number == signal.SIGUSR2 and self._is_serving:
                log.info("rolling restart", workers=len(self._slots))
                self._rolling = deque(self._slots)

    def _reload(self, already: Worker | None = None) -> None:
        """Have the workers read again what they have read, all but one that already does."""
        for worker in self._workers():
            if worker is not already:
                worker.control.send(do="reload")

    def _start(self, slot: Slot) -> Worker | None:
        """Start a worker for a place; None when that has failed and is tried again later."""
        try:
            worker = process.start(slot.number, self._settings)
        except OSError as error:
            self._put_off(slot, None, "failed", f"can't start a process: {error.strerror}")
            return None
        self._selector.register(worker.control, selectors.EVENT_READ, worker)
        return worker

    def _listen(self, worker: Worker) -> None:
        """Take what a worker says, or its end."""
        received = worker.control.receive()
        if received is None:
            self._selector.unregister(worker.control)
            self._on_end(worker, worker.end(END_SECONDS))
            return
        worker.ping_time = None
        for message in received:
            self._on_message(worker, message)

    def _on_message(self, worker: Worker, message: Message) -> None:
        match message["event"]:
            case "ready":
                worker.ready_time = time.monotonic()
                self._on_ready(worker, message["default_model"])
            case "reloading":
                self._reload(worker)
            case "failed":
                worker.error = message["error"]
            case "metrics":
                worker.answer_metrics(message["question"], message["families"])
            case "stopped":
                self._calls_started += message["calls_started"]
                self._calls_handled += message["calls_handled"]

    def _on_ready(self, worker: Worker, default_model: str | None) -> None:
        slot = self._slots[worker.number]
        if worker is slot.successor:
            predecessor, slot.worker, slot.successor = slot.worker, worker, None
            if predecessor is not None:
                self._let_go(predecessor)
        if self._is_serving:
            log.info("worker ready", worker=worker.number, pid=worker.process.pid)
        elif len(self._ready()) == len(self._slots) and not self._is_stopping:
            self._is_serving = True
            log.info(
                "serving",
                grpc=self._settings.grpc_address,
                http=self._launched.http_address,
                default_model=default_model,
                workers=len(self._slots),
                seconds=round(time.perf_counter() - self._launched.begin, 4),
            )

    def _on_end(self, worker: Worker, exit_code: int) -> None:
        slot = self._slots[worker.number]
        if worker in self._leaving:
            self._leaving.remove(worker)
            if not self._rolling and not self._is_stopping:
                log.info("rolling restart done")
        elif worker is slot.worker:
            slot.worker = None
            if not self._is_stopping:
                self._replace(slot, worker, exit_code)
        else:
            slot.successor = None
            if self._is_stopping:
                return
            self._rolling.clear()
            log.error(
                "rolling restart given up, as the new worker did not start",
                worker=worker.number,
                exit_code=exit_code,
                error=worker.error,
            )

    def _replace(self, slot: Slot, worker: Worker, exit_code: int) -> None:
        """See to it that another worker takes the place of one that has ended by itself."""
        slot.worker, slot.successor = slot.successor, None
        if worker.error and not self._is_serving:
            raise StartupError(worker.error)
        if worker.hung:
            reason = "hung"
        elif worker.error:
            reason = "failed"
        else:
            reason = "killed" if exit_code < 0 else "exited"
        end = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        self._put_off(slot, worker.ready_time, reason, worker.error or f"it ended with {end}")

    def _put_off(self, slot: Slot, ready_time: float | None, reason: str, error: str) -> None:
        """Plan a restart; raises StartupError when there were too many and nobody serves."""
        delay = slot.note_end(ready_time)
        if slot.is_hopeless and not self._ready():
            raise StartupError(
                f"worker {slot.number} could not be started {slot.failed_starts} times in a row; "
                f"the last time: {error}"
            )
        metrics.RESTARTS.labels(reason).inc()
        log.warning(
            "worker ended", worker=slot.number, reason=reason, error=error, restart_seconds=delay
        )

    def _ping(self, now: float) -> None:
        """Ask the workers for a sign of life, and kill those that have given none for too long."""
        is_due = now - self._ping_time >= PING_SECONDS
        if is_due:
            self._ping_time = now
        for worker in self._ready():
            silent = 0.0 if worker.ping_time is None else now - worker.ping_time
            if silent > self._settings.worker_timeout_seconds and not worker.hung:
                worker.hung = True
                worker.process.kill()
            elif is_due:
                worker.ping()

    def _roll(self) -> None:
        """Start the next successor, once the last predecessor is gone."""
        if not self._rolling or self._leaving or any(slot.successor for slot in self._slots):
            return
        slot = self._rolling.popleft()
        if slot.worker is not None:
            slot.successor = self._start(slot)

    def _let_go(self, worker: Worker) -> None:
        """Let a worker end whose calls others take from now on.

        Its health stays as it is: the address that a balancer would give up is that of all workers.
        """
        metrics.RESTARTS.labels("rolled").inc()
        self._leaving.add(worker)
        worker.stop(self._settings.stop_grace_seconds, END_SECONDS)

    def _shut_down(self) -> None:
        """Stop in the order that loses no call: say it, wait until balancers know, then refuse new
        calls.
        """
        self._is_stopping = True
        for worker in self._workers():
            worker.control.send(do="drain")
        delay = self._settings.drain_delay_seconds
        log.info("draining", seconds=delay)
        end = time.monotonic() + delay
        while self._stops < 2 and time.monotonic() < end:
            self._turn()
        for worker in self._workers():
            if worker.deadline is None:
                worker.stop(self._settings.stop_grace_seconds, END_SECONDS)
        while self._workers():
            self._turn()

    def _ask_metrics(self) -> dict[str, list[Family] | None]:
        """Return each worker's metrics, None for those that don't give them in time."""
        asked = [(worker, *worker.ask_metrics()) for worker in self._ready()]
        futures.wait([answer for *_, answer in asked], SCRAPE_SECONDS)
        found: dict[str, list[Family] | None] = {str(slot.number): None for slot in self._slots}
        for worker, question, answer in asked:
            worker.forget(question)
            with contextlib.suppress(TimeoutError):
                found[str(worker.number)] = unpack(answer.result(0))
        return found
