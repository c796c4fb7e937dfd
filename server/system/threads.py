"""Threads for work that takes long, in the order in which it comes; no error ends them."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVarTuple

import structlog

log = structlog.get_logger()

Arguments = TypeVarTuple("Arguments")


class Threads:
    """A number of threads that run what they are given, until the process ends.

    They are there from the start, so that work can't be refused for want of a thread, and daemons,
    so that a run which does not end keeps no process from ending: both are other in
    concurrent.futures.
    """

    def __init__(self, number: int, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name} {index}", daemon=True)
            for index in range(number)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def are_alive(self) -> bool:
        """Whether all of them are there."""
        return all(thread.is_alive() for thread in self._threads)

    def submit(self, work: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        """Run a function as soon as a thread is free."""
        self._work.put(lambda: work(*arguments))

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except BaseException:
                log.exception("work on a thread failed")
            # It may hold a message of megabytes until the next one comes.
            del work
