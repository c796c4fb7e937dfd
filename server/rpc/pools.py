"""Threads for the methods that are not on the lane, with a bound on the calls that they take."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Pool(ThreadPoolExecutor):
    """A thread pool that knows whether it has as many calls, running and waiting, as it may take.

    A subclass, since grpc takes nothing else for a method's own threads.
    """

    def __init__(self, name: str, threads: int, calls: int) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self.limit = calls
        self._calls = 0
        self._calls_lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether the next call must be turned away."""
        return self._calls >= self.limit

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a call on one of the threads, as soon as one is free."""
        with self._calls_lock:
            self._calls += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._end)
        return future

    def _end(self, _future: "Future[Any]") -> None:
        with self._calls_lock:
            self._calls -= 1
