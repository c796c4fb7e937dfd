"""Adds up where the time of each version's calls went, as the public protocol's statistics ask.

A run only leaves its times here; they are added up for many runs together.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Protocol

from server.telemetry.accumulators import MAX_WAITING

MAX_EXACT_SIZE = 64
"""Images of a run up to which each size has counts of its own; above, a size counts as the next
power of two.

As many calls of one image meet in a run at most. A batch size of its own for each of thousands of
sizes would fill memory and answers, and tell nobody more.
"""

_begin, _waiting_since = attrgetter("begin"), attrgetter("waiting_since")


class TimedCall(Protocol):
    """A call that a run answers; see `running.calls.Call`."""

    begin: float
    waiting_since: float


@dataclass(slots=True)
class Times:
    """How many times something was done, and the seconds that its parts took together."""

    count: int = 0
    decode_seconds: float = 0.0
    run_seconds: float = 0.0
    encode_seconds: float = 0.0

    def add(self, count: int, decode: float, run: float, encode: float) -> None:
        """Add something that was done so often, by the seconds of its parts."""
        self.count += count
        self.decode_seconds += decode
        self.run_seconds += run
        self.encode_seconds += encode


@dataclass(frozen=True, slots=True)
class Sums:
    """What a version has done: `answered` are calls, each with the whole time of its run, which
    waited `queue_seconds` for it; `by_size` are runs, by their images. `last_time` is when it last
    answered, in seconds since 1970, 0 for never.
    """

    answered: Times = field(default_factory=Times)
    queue_seconds: float = 0.0
    failed: int = 0
    failed_seconds: float = 0.0
    images: int = 0
    by_size: Mapping[int, Times] = field(default_factory=dict)
    last_time: float = 0.0


def size_class(images: int) -> int:
    """Return the size as which a run of so many images counts."""
    return images if images <= MAX_EXACT_SIZE else 1 << (images - 1).bit_length()


class InferenceSums:
    """The sums of one version; any thread may use them."""

    __slots__ = (
        "_answered",
        "_by_size",
        "_failed",
        "_failed_seconds",
        "_images",
        "_last",
        "_lock",
        "_queue_seconds",
        "_waiting",
    )

    def __init__(self) -> None:
        self._answered = Times()
        self._by_size: dict[int, Times] = {}
        self._queue_seconds = self._failed_seconds = self._last = 0.0
        self._failed = self._images = 0
        # For each run: its images, those answered, the calls answered, when these began and began
        # to wait, in sum, and when it began, had run, and had written its answers.
        self._waiting: deque[tuple[int, int, int, float, float, float, float, float]] = deque()
        self._lock = threading.Lock()

    def count_run(
        self,
        answered: Sequence[TimedCall],
        images: int,
        answered_images: int,
        times: tuple[float, float, float],
    ) -> None:
        """Count a run, and those of its calls that have answers. The times, by time.perf_counter,
        are when it began, when the model had run, and when the answers were written.
        """
        calls, waiting, (begin, ran, encoded) = len(answered), self._waiting, times
        if calls == 1:
            began, waited = answered[0].begin, answered[0].waiting_since
        else:
            began = sum(map(_begin, answered))
            waited = sum(map(_waiting_since, answered))
        waiting.append((images, answered_images, calls, began, waited, begin, ran, encoded))
        if len(waiting) >= MAX_WAITING:
            with self._lock:
                self._add_up()

    def count_failure(self, begin: float) -> None:
        """Count a call that has failed, and began then."""
        seconds = time.perf_counter() - begin
        with self._lock:
            self._failed += 1
            self._failed_seconds += seconds

    def _add_up(self) -> None:
        """Add up the waiting runs; the caller holds the lock."""
        waiting, by_size = self._waiting, self._by_size
        calls = images = 0
        queue = decode = run = encode = 0.0
        # Others may go on adding.
        for _ in range(len(waiting)):
            size, answered_images, answered, began, waited, begin, ran, encoded = waiting.popleft()
            calls += answered
            images += answered_images
            queue += answered * begin - waited
            decode += waited - began
            run += answered * (ran - begin)
            encode += answered * (encoded - ran)
            key = size_class(size)
            times = by_size.get(key)
            if times is None:
                times = by_size[key] = Times()
            times.count += 1
            times.run_seconds += ran - begin
            times.encode_seconds += encoded - ran
            if answered:
                # Calls that were read together each have the time of reading them all.
                times.decode_seconds += (waited - began) / answered
                self._last = encoded
        self._answered.add(calls, decode, run, encode)
        self._queue_seconds += queue
        self._images += images

    def read(self) -> Sums:
        """Return the sums as they are now."""
        with self._lock:
            self._add_up()
            last = time.time() - (time.perf_counter() - self._last) if self._last else 0.0
            return Sums(
                replace(self._answered),
                self._queue_seconds,
                self._failed,
                self._failed_seconds,
                self._images,
                {size: replace(times) for size, times in sorted(self._by_size.items())},
                last,
            )
