"""Tells the system's scheduler what kind of work a worker has, as long as calls keep it busy.

By default Linux interrupts a thread for each one that wakes. gRPC's wake whenever something has
arrived, in the middle of the lane's run, whose data then leave the cache. With batch scheduling,
which is no lower priority, they wait until it rests. But so they do for whatever else has the core:
a slow run or another program keeps it until the next tick, up to 4 ms away, and a server that was
waiting for a call should be there at once. So a worker is scheduled that way only while its calls
have a core nearly to themselves. A lone caller takes most of a core too, but interrupts nobody.
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
"""Above the first share of a core a worker counts as busy, below the second no longer (hysteresis).

Many callers alone can take a whole core, beside a program that never rests two thirds at most.
Batch scheduling answers the same calls with three quarters of it.
"""

TASKS = Path("/proc/self/task")


class Lane(Protocol):
    """A thread that serves calls; `most_in_progress` is their peak since it was last reset."""

    most_in_progress: int

    @property
    def thread_id(self) -> int:
        """The system's number of the thread."""
        ...

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the thread has ended; returns whether it has."""
        ...


class Scheduling:
    """Has the lane and gRPC's threads in batch scheduling while they are busy."""

    def __init__(self, lane: Lane) -> None:
        """Watch a lane, which must have been started."""
        self._lane = lane
        self._is_batch = False
        self._nanoseconds: dict[int, int] = {}

    def start(self) -> None:
        """Watch until the lane ends, where the system knows such a thing and nobody has set another
        policy.
        """
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
            # Always: a thread that has just been started may have the other one.
            _set_policy(self._nanoseconds, os.SCHED_BATCH if self._is_batch else os.SCHED_OTHER)

    def _decide(self, share: float) -> None:
        """Choose how threads are scheduled that have had this share of a core."""
        is_busy = share >= (IDLE if self._is_batch else BUSY)
        self._is_batch = is_busy and self._lane.most_in_progress > 1
        self._lane.most_in_progress = 0

    def _spend(self) -> float:
        """Return the CPU seconds that the threads which serve calls have had since the last time.

        These are the lane's and all that are not Python's: slow runs and the like don't count.
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
    """Return where the system says, first, how many nanoseconds a thread has run; not all do."""
    return TASKS / str(task) / "schedstat"


def _set_policy(tasks: Iterable[int], policy: int) -> None:
    """Schedule threads by their native ids, as far as they are there and a sandbox lets us."""
    for task in tasks:
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(task) != policy:
                os.sched_setscheduler(task, policy, os.sched_param(0))
