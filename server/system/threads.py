"""Threads for work that takes long, in the order of its arrival; no error ends them."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVarTuple

import structlog

log = structlog.get_logger()

Arguments = TypeVarTuple("Arguments")


class Threads:
    """A fixed number of threads that run functions until the process ends.

    Unlike those of concurrent.futures they are started at once, so that work can't fail for lack of
    a thread, and are daemons, so that a run which does not end doesn't keep the process alive.
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
        """Whether all of them are running."""
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
            # It may keep a message of megabytes alive until the next work arrives.
            del work
