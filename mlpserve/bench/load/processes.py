"""The processes that send: started by spawn, begun together, watched, and never waited for when
they are gone.
"""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from mlpserve.bench.load.worker import (
    Abandon,
    Begin,
    Failed,
    Finished,
    Job,
    Ready,
    Stop,
    Told,
    work,
)

POLL_SECONDS = 0.1
"""How often it is looked whether somebody asked for the end."""

_JOIN_SECONDS = 10.0
_SPAWN = multiprocessing.get_context("spawn")


class LoadError(Exception):
    """The load could not be made; the message says why."""


@dataclass(slots=True)
class Interrupt:
    """How often somebody asked for the end: once ends the sending, twice the waiting, too."""

    count: int = 0


class Interrupted(Exception):
    """Somebody asked for the end before there was anything to tell."""


@dataclass(slots=True)
class Worker:
    """A process that sends; `is_over` when nothing more is to be heard of it."""

    process: SpawnProcess
    pipe: Connection
    is_over: bool = False

    @property
    def ended_by(self) -> str:
        """How the process ended."""
        self.process.join(_JOIN_SECONDS)
        code = self.process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"by {signal.Signals(-code).name}"
        return f"with exit code {code}"


class Workers:
    """The processes of a load."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    @property
    def are_over(self) -> bool:
        """Whether nothing more is to be heard of any."""
        return all(worker.is_over for worker in self._workers)

    def hear(self, timeout_seconds: float) -> Iterator[tuple[int, Told | None]]:
        """Yield what they have told by then, with the number of whoever did: None is the end of a
        process that had not finished.
        """
        listening = {
            worker.pipe: number for number, worker in enumerate(self._workers) if not worker.is_over
        }
        for ready in wait(list(listening), timeout_seconds):
            pipe = cast(Connection, ready)
            number = listening[pipe]
            try:
                told = pipe.recv()
            except (EOFError, OSError):
                told = None
            if told is None or isinstance(told, Finished | Failed):
                self._workers[number].is_over = True
            yield number, told

    def tell(self, order: Begin | Stop | Abandon) -> None:
        """Tell all processes something; those that are gone don't hear it."""
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(order)

    def ended_by(self, number: int) -> str:
        """Return how a process ended."""
        return self._workers[number].ended_by

    def wait_until_ready(self, interrupt: Interrupt) -> int:
        """Return how many calls warmed them up, once all have; raises LoadError when one can't, and
        Interrupted.
        """
        calls, n_ready = 0, 0
        while n_ready < len(self._workers):
            if interrupt.count:
                raise Interrupted
            for number, told in self.hear(POLL_SECONDS):
                match told:
                    case Ready():
                        n_ready += 1
                        calls += told.calls
                    case Failed():
                        raise LoadError(told.reason)
                    case _:
                        raise LoadError(
                            f"a sending process ended {self.ended_by(number)} before the load began"
                        )
        return calls


@contextlib.contextmanager
def start_workers(jobs: Sequence[Job]) -> Iterator[Workers]:
    """Start a process for each job; at the end of the block none is left.

    Raises LoadError when one ends as soon as it is started.
    """
    workers: list[Worker] = []
    try:
        with _interrupts_held():
            for job in jobs:
                ours, theirs = _SPAWN.Pipe()
                process = _SPAWN.Process(target=work, args=(theirs, job), daemon=True)
                try:
                    process.start()
                except BrokenPipeError as error:
                    raise LoadError("a sending process ended as soon as it was started") from error
                # Otherwise its end would not close the pipe.
                theirs.close()
                workers.append(Worker(process, ours))
        yield Workers(workers)
    finally:
        for worker in workers:
            if not worker.is_over:
                worker.process.kill()
        for worker in workers:
            worker.process.join(_JOIN_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Have processes that start meanwhile hear nothing of Ctrl-C; here it is heard afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
