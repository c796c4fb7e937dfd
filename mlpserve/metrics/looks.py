"""What happened at a server between two looks at its page of metrics."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlpserve.metrics.exposition import Labels, Samples

_WORKER, _PARENT = "worker", "parent"
START = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Look:
    """What a page says now, and what has been added to its counters.

    `increases` is since the look before, `seconds` ago; `totals` since the server's start, also by
    workers that are gone.
    """

    seconds: float
    page: Samples
    increases: Samples
    totals: Samples

    def rate(self, name: str, **labels: str) -> float:
        """Return how much is added to a counter in a second, in the sum over its series."""
        return total(self.increases, name, **labels) / self.seconds

    def rates(self, name: str, key: str, **labels: str) -> dict[str, float]:
        """Return the same for each value of the label `key`."""
        increases = totals(self.increases, name, key, **labels)
        return {value: increase / self.seconds for value, increase in increases.items()}

    def mean(self, name: str, **labels: str) -> float:
        """Return the mean of what a histogram has seen since the look before; nan of nothing."""
        count = total(self.increases, f"{name}_count", **labels)
        return total(self.increases, f"{name}_sum", **labels) / count if count else math.nan

    def quantile(self, share: float, name: str, **labels: str) -> float:
        """Return a quantile of what a histogram has seen since the look before; nan of nothing."""
        return quantile(self.buckets(name, **labels), share)

    def buckets(self, name: str, **labels: str) -> dict[float, float]:
        """Return a histogram's counts up to each of its bounds since the look before."""
        buckets = totals(self.increases, f"{name}_bucket", "le", **labels)
        return {float(bound): count for bound, count in buckets.items()}


@dataclass(slots=True)
class Watch:
    """Remembers what counters were, also those of workers that are silent for a while."""

    _time: float = math.nan
    _last: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    _totals: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    _starts: dict[str, float] = field(default_factory=dict)

    def look(self, page: Samples, time: float) -> Look:
        """Return what has changed up to `time`, in seconds of any clock; at first, nothing has."""
        unknown = self._note_workers(page)
        increases: dict[str, dict[Labels, float]] = {}
        for name, series in page.items():
            last, counted, increases[name] = self._last[name], self._totals[name], {}
            for labels, value in series.items():
                before = last.get(labels, 0.0)
                # What is less than before begins again at zero, for whatever reason.
                increase = value - before if value >= before else value
                increases[name][labels] = 0.0 if _worker(labels) in unknown else increase
                counted[labels] = counted.get(labels, 0.0) + increase
                last[labels] = value
        seconds, self._time = time - self._time, time
        return Look(seconds, page, increases, self._totals)

    def _note_workers(self, page: Samples) -> set[str]:
        """Forget what those had counted that began anew since the look before, and return those
        never seen before, which have counted since nobody knows when.

        "" stands for what has no worker's label. With the parent all begins anew.
        """
        starts = {_worker(labels): start for labels, start in page.get(START, {}).items()}
        anew = {worker for worker, start in starts.items() if self._starts.get(worker) != start}
        if _PARENT in anew:
            anew.add("")
            self._totals = defaultdict(dict)
        for series in self._last.values():
            for labels in [labels for labels in series if _worker(labels) in anew]:
                del series[labels]
        unknown = starts.keys() - self._starts.keys()
        if not self._starts:
            unknown.add("")
        self._starts |= starts
        return unknown


@dataclass(slots=True)
class RecentWatch:
    """Looks at the last `seconds`, whatever the time between two looks.

    What a page adds belongs to the time at which it was read.
    """

    seconds: float
    _watch: Watch = field(default_factory=Watch)
    _steps: deque[tuple[float, float, Samples]] = field(default_factory=deque)

    def look(self, page: Samples, time: float) -> Look:
        """Return what has changed in the last seconds up to `time`; see `Watch.look`."""
        step = self._watch.look(page, time)
        while self._steps and self._steps[0][0] <= time - self.seconds:
            self._steps.popleft()
        increases = {name: dict(series) for name, series in step.increases.items()}
        for _, _, earlier in self._steps:
            for name, series in earlier.items():
                sums = increases.setdefault(name, {})
                for labels, increase in series.items():
                    sums[labels] = sums.get(labels, 0.0) + increase
        grown = {
            name: {labels: increase for labels, increase in series.items() if increase}
            for name, series in step.increases.items()
        }
        # Before the first look lies nothing.
        self._steps.append((time, 0.0 if math.isnan(step.seconds) else step.seconds, grown))
        seconds = sum(seconds for _, seconds, _ in self._steps) or math.nan
        return replace(step, seconds=seconds, increases=increases)


def _worker(labels: Labels) -> str:
    return dict(labels).get(_WORKER, "")


def total(samples: Samples, name: str, **labels: str) -> float:
    """Sum the samples of this name that have these labels, among others."""
    wanted = labels.items()
    return sum(value for series, value in samples.get(name, {}).items() if wanted <= series)


def totals(samples: Samples, name: str, key: str, **labels: str) -> dict[str, float]:
    """Sum them for each value of the label `key`."""
    sums: dict[str, float] = defaultdict(float)
    wanted = labels.items()
    for series, value in samples.get(name, {}).items():
        if wanted <= series and (part := dict(series).get(key)) is not None:
            sums[part] += value
    return dict(sums)


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """Read a quantile from cumulative counts by their upper bounds, the last of them infinite.

    Values lie evenly within a bucket, as Prometheus supposes; those beyond the last finite bound
    lie at it. nan when there are none.
    """
    rank = share * buckets.get(math.inf, 0.0)
    lower, below = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and count > below:
            return (
                lower
                if bound == math.inf
                else lower + (bound - lower) * (rank - below) / (count - below)
            )
        lower, below = bound, count
    return math.nan
