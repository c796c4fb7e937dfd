"""Runs a plan: asks what the server takes, starts processes, and adds up what they tell."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpserve.bench.load.collector import Collector
from mlpserve.bench.load.processes import (
    POLL_SECONDS,
    Interrupt,
    LoadError,
    Workers,
    start_workers,
)
from mlpserve.bench.load.recorder import CODE, ENDED, INTENDED, Rows, Taken, read_rows
from mlpserve.bench.load.requests import as_form, ask_labels, random_images
from mlpserve.bench.load.schedule import NANOSECONDS
from mlpserve.bench.load.sender import now
from mlpserve.bench.load.target import ask, find_target
from mlpserve.bench.load.worker import Abandon, Begin, Failed, Finished, Job, Stop
from mlpserve.bench.result import Plan, Result
from mlpserve.connection.channels import open_channel
from mlpserve.connection.credentials import Tls
from mlpserve.connection.settings import Settings

_START_NANOSECONDS = NANOSECONDS // 5
"""How long after the processes are told to begin the first call is due."""

# A call that is tried again by gRPC would count as one, and as quick or slow as its last try.
_OPTIONS = {"grpc.enable_retries": 0}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; `p99_seconds`, of the calls answered last, is None when there are none."""

    seconds: float
    answered: int
    failed: int
    unsent: int
    in_flight: int
    p99_seconds: float | None


def run(
    plan: Plan,
    settings: Settings,
    images: Callable[[int], npt.NDArray[Any]] = random_images,
    *,
    on_begin: Callable[[], None] = lambda: None,
    watch: Callable[[Progress], None] = lambda _: None,
    interrupt: Interrupt | None = None,
) -> Result:
    """Load a server as planned, and return what came of it.

    Parameters
    ----------
    settings
        How the server is reached, see `load_settings`.
    images
        Returns what is sent, a batch (N, ...) of uint8 levels or floats, for a model of so many
        numbers an image.
    on_begin
        Called after the warm-up, before the first call is due.
    watch
        Called about ten times a second.
    interrupt
        Its count may be raised at any time, by a signal handler or another thread.

    Raises
    ------
    MlpserveError
        When the server can't be reached, refuses the plan's calls or knows no such model.
    LoadError
        When a process ended before the load began, or can't go on.
    Interrupted
        When the end was asked for before the load began.
    """
    interrupt = interrupt or Interrupt()
    jobs, n_asked = _prepare(plan, settings, images)
    with start_workers(jobs) as workers:
        unmeasured = n_asked + workers.wait_until_ready(interrupt)
        on_begin()
        start = now() + _START_NANOSECONDS
        started_at = time.time() + _START_NANOSECONDS / NANOSECONDS
        workers.tell(Begin(start))
        return _Run(plan, workers, start, watch, interrupt).collect(started_at, unmeasured)


def load_settings(
    address: str, timeout_seconds: float, tls: Tls | None = None, token: str | None = None
) -> Settings:
    """Return how a server is reached with calls that are tried once; raises as `Client` does."""
    return Settings.check(address, timeout_seconds, _OPTIONS, tls, token, False, retries=0)


def _prepare(
    plan: Plan, settings: Settings, images: Callable[[int], npt.NDArray[Any]]
) -> tuple[list[Job], int]:
    """Return what each process is to do, and how many predictions were asked for to know it."""
    with open_channel(settings) as channel:
        target = find_target(plan, settings, channel)
        ready = as_form(images(target.n_inputs), plan.form, target.n_inputs)
        # What the server refuses it says here, once.
        largest = max(n_images for n_images, _ in plan.batch)
        ask(target, settings, channel, target.encode(ready[np.arange(largest) % len(ready)]))
        labels, n_asked = None, 1
        if plan.check:
            labels, n_calls = ask_labels(target, settings, channel, ready)
            n_asked += n_calls
    jobs = [
        Job(plan, settings, target, ready, labels, process) for process in range(plan.processes)
    ]
    return jobs, n_asked


class _Run:
    """Hears the processes of a run to its end."""

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        start: int,
        watch: Callable[[Progress], None],
        interrupt: Interrupt,
    ) -> None:
        self._workers = workers
        self._start = start
        self._watch = watch
        self._interrupt = interrupt
        self._collector = Collector(plan)
        self._in_flight = dict.fromkeys(range(plan.processes), 0)
        self._finished: list[Finished] = []
        self._lost: list[str] = []
        self._p99_seconds: float | None = None

    def collect(self, started_at: float, unmeasured: int) -> Result:
        """Return the result, once all processes have finished or are gone."""
        heeded = 0
        while not self._workers.are_over:
            if (asked := self._interrupt.count) > heeded:
                self._workers.tell(Stop() if asked == 1 else Abandon())
                heeded = asked
            for number, told in self._workers.hear(POLL_SECONDS):
                self._take(number, told)
            self._watch(self._progress())
        busy = max((end.cpu_seconds / end.seconds for end in self._finished), default=0.0)
        return self._collector.result(
            started_at,
            lost_processes=tuple(self._lost),
            is_interrupted=heeded > 0,
            cpu_seconds=sum(end.cpu_seconds for end in self._finished),
            busy=busy,
            unmeasured=unmeasured,
        )

    def _take(self, number: int, told: object) -> None:
        match told:
            case Taken():
                rows = read_rows(told.rows)
                self._in_flight[number] = told.in_flight
                self._collector.add(rows, told.messages)
                self._p99_seconds = _p99_seconds(rows) or self._p99_seconds
            case Finished():
                self._finished.append(told)
            case Failed():
                raise LoadError(told.reason)
            case None:
                self._in_flight[number] = 0
                self._lost.append(self._workers.ended_by(number))

    def _progress(self) -> Progress:
        return Progress(
            seconds=max(0.0, (now() - self._start) / NANOSECONDS),
            answered=self._collector.answered,
            failed=self._collector.failed,
            unsent=self._collector.unsent,
            in_flight=sum(self._in_flight.values()),
            p99_seconds=self._p99_seconds,
        )


def _p99_seconds(rows: Rows) -> float | None:
    answered = rows[rows[:, CODE] == 0]
    if not len(answered):
        return None
    return float(np.quantile(answered[:, ENDED] - answered[:, INTENDED], 0.99)) / NANOSECONDS
