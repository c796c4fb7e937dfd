"""What becomes of each version's predictions: how they end, how long they take, and where that time
goes.

A run only leaves its times here; those of many runs are sorted together.
"""

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from server.telemetry import metrics
from server.telemetry.accumulators import MAX_WAITING, Exemplars, bound_names
from server.telemetry.families import Buckets

if TYPE_CHECKING:
    # An optional package, which is imported only when there are traces.
    from opentelemetry.trace import Span

MAX_EXACT_SIZE = 64
"""Images of a run up to which each size has counts of its own; above, a size counts as the next
power of two.

As many calls of one image meet in a run at most. A batch size of its own for each of thousands of
sizes would fill memory and answers, and tell nobody more.
"""

MAX_WAITING_CALLS = 1024
"""Calls whose times wait to be sorted, which takes a fifth of a millisecond then."""

_begin, _waiting_since = attrgetter("begin"), attrgetter("waiting_since")

Seconds = npt.NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class Counted:
    """How many predictions ended with each code, how long they took, and their time in stages."""

    codes: Mapping[str, int]
    seconds: Buckets
    stages: Mapping[str, Buckets]


def size_class(images: int) -> int:
    """Return the size as which a run of so many images counts."""
    return images if images <= MAX_EXACT_SIZE else 1 << (images - 1).bit_length()


class _Durations:
    """A histogram that is filled many values at a time, by one thread."""

    __slots__ = ("_counts", "seconds")

    _BOUNDS = np.array(metrics.LATENCY_BUCKETS)
    _NAMES = bound_names(metrics.LATENCY_BUCKETS)

    def __init__(self) -> None:
        self._counts = np.zeros(len(self._NAMES), np.int64)
        self.seconds = 0.0

    def add(self, seconds: Seconds, times: npt.NDArray[np.int64] | None = None) -> None:
        """Count durations, each as often as it was seen."""
        places = self._BOUNDS.searchsorted(seconds)
        # With weights it counts in floats, which are exact here.
        counts = np.bincount(places, times, len(self._counts))
        self._counts += counts.astype(np.int64, copy=False)
        self.seconds += float(seconds.sum() if times is None else seconds @ times)

    def add_one(self, seconds: float) -> None:
        """Count a duration, which alone is done sooner without arrays."""
        self._counts[bisect_left(metrics.LATENCY_BUCKETS, seconds)] += 1
        self.seconds += seconds

    def read(self, exemplars: Sequence[str] = ()) -> Buckets:
        counts = list(accumulate(self._counts.tolist()))
        return Buckets(self._NAMES, counts, self.seconds, exemplars)


class Predictions:
    """The predictions of one version: its calls, and its messages of streams; any thread may use
    it.

    `exemplars` are of the traced ones that are counted.
    """

    __slots__ = (
        "_by_size",
        "_codes",
        "_failed_seconds",
        "_images",
        "_last",
        "_lock",
        "_seconds",
        "_stages",
        "_waiting",
        "_waiting_calls",
        "exemplars",
    )

    def __init__(self) -> None:
        self._codes = dict.fromkeys(metrics.COMMON_CODES, 0)
        self._seconds = _Durations()
        self._stages = {stage: _Durations() for stage in metrics.STAGES}
        self.exemplars = Exemplars(metrics.LATENCY_BUCKETS)
        self._by_size: dict[int, Times] = {}
        self._failed_seconds = self._last = 0.0
        self._images = 0
        # For each run: its images, those answered, when the calls answered began and began to wait,
        # and when it began, had run, and had written its answers.
        self._waiting: deque[
            tuple[int, int, Sequence[float], Sequence[float], float, float, float]
        ] = deque()
        self._waiting_calls = 0
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
        waiting = self._waiting
        began, waited = [*map(_begin, answered)], [*map(_waiting_since, answered)]
        waiting.append((images, answered_images, began, waited, *times))
        # Threads may overwrite each other's sum, so runs are bounded too.
        self._waiting_calls += len(began)
        if self._waiting_calls >= MAX_WAITING_CALLS or len(waiting) >= MAX_WAITING:
            with self._lock:
                self._sort()

    def count_failure(self, begin: float, code: str, span: "Span | None" = None) -> None:
        """Count a prediction that has failed with a code, and began then; it may be traced."""
        seconds = time.perf_counter() - begin
        with self._lock:
            self._failed_seconds += seconds
            self._codes[code] = self._codes.get(code, 0) + 1
            self._seconds.add_one(seconds)
        if span is not None:
            self.exemplars.note(span, seconds)

    def _sort(self) -> None:
        """Count the waiting runs; the caller holds the lock."""
        waiting = self._waiting
        # Others may go on adding.
        runs = [waiting.popleft() for _ in range(len(waiting))]
        self._waiting_calls = 0
        if not runs:
            return
        images, answered_images, began_at, waited_since, begins, rans, encodeds = zip(
            *runs, strict=True
        )
        calls = np.array([*map(len, began_at)])
        began = np.fromiter(chain.from_iterable(began_at), np.float64)
        waited = np.fromiter(chain.from_iterable(waited_since), np.float64)
        begin, ran, encoded = np.array(begins), np.array(rans), np.array(encodeds)
        decode = waited - began
        run, encode = ran - begin, encoded - ran
        self._seconds.add(encoded.repeat(calls) - began)
        self._stages["decode"].add(decode)
        self._stages["queue"].add(begin.repeat(calls) - waited)
        self._stages["run"].add(run, calls)
        self._stages["encode"].add(encode, calls)
        self._codes["OK"] += len(began)
        self._images += sum(answered_images)
        # Calls that were read together each have the time of reading them all.
        of_run = np.arange(len(runs)).repeat(calls)
        decode_of_run = np.bincount(of_run, decode, len(runs)) / np.maximum(calls, 1)
        self._sort_sizes(images, decode_of_run, run, encode)
        if len(began):
            self._last = max(self._last, float(encoded[calls > 0].max()))

    def _sort_sizes(
        self, images: Sequence[int], decode: Seconds, run: Seconds, encode: Seconds
    ) -> None:
        """Count runs by their images."""
        seconds = decode.tolist(), run.tolist(), encode.tolist()
        for size, decode_seconds, run_seconds, encode_seconds in zip(images, *seconds, strict=True):
            key = size_class(size)
            times = self._by_size.get(key)
            if times is None:
                times = self._by_size[key] = Times()
            times.count += 1
            times.decode_seconds += decode_seconds
            times.run_seconds += run_seconds
            times.encode_seconds += encode_seconds

    def read(self) -> Counted:
        """Return the counts as they are now."""
        exemplars = self.exemplars.read()
        with self._lock:
            self._sort()
            stages = {stage: durations.read() for stage, durations in self._stages.items()}
            return Counted(dict(self._codes), self._seconds.read(exemplars), stages)

    def sums(self) -> Sums:
        """Return the sums as they are now."""
        with self._lock:
            self._sort()
            seconds = {stage: durations.seconds for stage, durations in self._stages.items()}
            last = time.time() - (time.perf_counter() - self._last) if self._last else 0.0
            return Sums(
                Times(self._codes["OK"], seconds["decode"], seconds["run"], seconds["encode"]),
                seconds["queue"],
                sum(self._codes.values()) - self._codes["OK"],
                self._failed_seconds,
                self._images,
                {size: replace(times) for size, times in sorted(self._by_size.items())},
                last,
            )
