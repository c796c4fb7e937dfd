"""Switches a worker's threads to batch scheduling while its calls keep a core busy.

By default Linux preempts the running thread for each one that wakes. gRPC's threads wake whenever
something arrives, in the middle of the lane's run, whose data are then evicted from the cache.
Under SCHED_BATCH, which does not lower the priority, they wait until the lane rests. The drawback:
they also wait for anything else on the core, such as a slow run or another program, until the next
tick, up to 4 ms away, while an idle server should respond at once. So a worker is in batch
scheduling only while its calls have a core nearly to themselves. A lone caller takes most of a core
too, but its calls never preempt each other.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

PERIOD_SECONDS = 0.25

BUSY, IDLE = 0.8, 0.5
"""Above BUSY of a core the worker counts as busy, below IDLE no longer (hysteresis).

Many callers alone can use a whole core; beside a program that never rests, two thirds at most.
Batch scheduling answers the same calls with three quarters of the CPU.
"""

TASKS = Path("/proc/self/task")


class Lane(Protocol):
    """The thread that answers most calls, which must have been started."""

    max_in_progress: int
    """The peak of its calls in progress since it was last reset."""

    @property
    def thread_id(self) -> int:
        """Its native id."""
        ...

    def join(self, timeout_seconds: float, /) -> bool:
        """Wait for it to end; returns whether it has."""
        ...


class Scheduling:
    """Keeps the lane and gRPC's threads in batch scheduling while they are busy."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._is_batch = False
        self._nanoseconds: dict[int, int] = {}

    def start(self) -> None:
        """Watch until the lane ends, if the system supports it and no other policy has been set."""
        if (
            sys.platform == "linux"
            and os.sched_getscheduler(0) == os.SCHED_OTHER
            and _stat_file(self._lane.thread_id).exists()
        ):
            threading.Thread(target=self._watch, name="scheduling", daemon=True).start()

    def _watch(self) -> None:
        self._spend()
        begin = time.perf_counter()
        while not self._lane.join(PERIOD_SECONDS):
            now = time.perf_counter()
            share, begin = self._spend() / (now - begin), now
            self._decide(share)
            # Every time, since a thread that has just started may have the other policy.
            _set_policy(self._nanoseconds, os.SCHED_BATCH if self._is_batch else os.SCHED_OTHER)

    def _decide(self, share: float) -> None:
        """Choose the policy for threads that have used this share of a core."""
        is_busy = share >= (IDLE if self._is_batch else BUSY)
        self._is_batch = is_busy and self._lane.max_in_progress > 1
        self._lane.max_in_progress = 0

    def _spend(self) -> float:
        """Return the CPU seconds that the threads which serve calls have used since the last time.

        These are the lane's and all that Python did not start; slow runs and the like don't count.
        """
        others = {thread.native_id for thread in threading.enumerate()} - {self._lane.thread_id}
        before, self._nanoseconds = self._nanoseconds, {}
        for task in TASKS.iterdir():
            if (number := int(task.name)) not in others:
                # Threads come and go.
                with contextlib.suppress(OSError):
                    self._nanoseconds[number] = int(_stat_file(number).read_text().split()[0])
        return sum(ns - before.get(task, 0) for task, ns in self._nanoseconds.items()) / 1e9


def _stat_file(task: int) -> Path:
    """Return the file whose first number is a thread's CPU nanoseconds; not always there."""
    return TASKS / str(task) / "schedstat"


def _set_policy(tasks: Iterable[int], policy: int) -> None:
    """Set the policy of threads by their native ids, if they exist and a sandbox permits it."""
    for task in tasks:
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(task) != policy:
                os.sched_setscheduler(task, policy, os.sched_param(0))
