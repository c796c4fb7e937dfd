"""Counts every call of every service, under the names that gRPC dashboards expect."""

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from server.telemetry import metrics
from server.telemetry.accumulators import MAX_WAITING, Exemplars, bound_names
from server.telemetry.families import Buckets, Label, MetricFamily


class Calls:
    """The calls of one method: their messages, how each call ended and how long it took.

    `exemplars` are of the traced ones.
    """

    def __init__(self, bounds: Sequence[float], codes: Iterable[str]) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._started = self._received = self._sent = 0
        self._codes = dict.fromkeys(codes, 0)
        self._counts = [0] * (len(bounds) + 1)
        self._seconds = 0.0
        self.exemplars = Exemplars(bounds)
        # Those not yet counted: how they ended, after how many seconds, and how many messages were
        # received and sent.
        self._ended: deque[tuple[str, float, int, int]] = deque()

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        with self._lock:
            self._started += 1
        return time.perf_counter()

    def end(self, begin: float, code: str, received: int = 0, sent: int = 0) -> float:
        """Count a call that has ended, and its messages; returns its seconds."""
        seconds = time.perf_counter() - begin
        self._ended.append((code, seconds, received, sent))
        if len(self._ended) >= MAX_WAITING:
            with self._lock:
                self._sort()
        return seconds

    def exchange(self, received: int = 0, sent: int = 0) -> None:
        """Count messages of a call in progress."""
        with self._lock:
            self._received += received
            self._sent += sent

    def read(self) -> "Counted":
        """Return all counts as they are now."""
        exemplars = self.exemplars.read()
        with self._lock:
            self._sort()
            return Counted(
                self._started,
                self._received,
                self._sent,
                dict(self._codes),
                list(accumulate(self._counts)),
                self._seconds,
                exemplars,
            )

    def _sort(self) -> None:
        """Count those that have ended; the caller holds the lock."""
        ended, bounds, counts, codes = self._ended, self._bounds, self._counts, self._codes
        # Others may go on adding.
        for _ in range(len(ended)):
            code, seconds, received, sent = ended.popleft()
            counts[bisect_left(bounds, seconds)] += 1
            codes[code] = codes.get(code, 0) + 1
            self._seconds += seconds
            self._received += received
            self._sent += sent


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of a method's calls: `codes` by how they ended, `counts` of those that took at
    most each bound and, last, of all that have ended, `seconds` that these took in all, `exemplars`
    of those between each bound and the one before.
    """

    started: int
    received: int
    sent: int
    codes: Mapping[str, int]
    counts: Sequence[int]
    seconds: float
    exemplars: Sequence[str]


class Methods:
    """The calls of all methods, by type, service and method."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, ...], Calls] = {}

    def calls(self, kind: str, service: str, method: str) -> Calls:
        """Return a method's calls, whose series exist from then on."""
        calls = Calls(metrics.LATENCY_BUCKETS, metrics.COMMON_CODES)
        return self._calls.setdefault((kind, service, method), calls)

    def _read(self) -> dict[tuple[str, ...], Counted]:
        return {labels: calls.read() for labels, calls in list(self._calls.items())}

    def total(self) -> tuple[int, int]:
        """Return how many calls have started and ended."""
        methods = self._read().values()
        return sum(calls.started for calls in methods), sum(calls.counts[-1] for calls in methods)

    def families(self, *labels: Label) -> list[MetricFamily]:
        """Return the families, each sample with these labels too."""
        methods = self._read().items()
        bounds = bound_names(metrics.LATENCY_BUCKETS)

        def fill(family: MetricFamily, count: Callable[[Counted], int]) -> MetricFamily:
            return family.with_samples(
                ((method, count(calls)) for method, calls in methods), *labels
            )

        return [
            fill(metrics.CALLS_STARTED, lambda calls: calls.started),
            fill(metrics.MESSAGES_RECEIVED, lambda calls: calls.received),
            fill(metrics.MESSAGES_SENT, lambda calls: calls.sent),
            fill(metrics.CALLS_IN_PROGRESS, lambda calls: max(0, calls.started - calls.counts[-1])),
            metrics.CALLS_HANDLED.with_samples(
                (
                    ((*method, code), count)
                    for method, calls in methods
                    for code, count in calls.codes.items()
                ),
                *labels,
            ),
            metrics.HANDLING_SECONDS.with_histograms(
                (
                    (method, Buckets(bounds, calls.counts, calls.seconds, calls.exemplars))
                    for method, calls in methods
                ),
                *labels,
            ),
        ]


METHODS = Methods()
