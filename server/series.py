"""Counters and histograms for what happens in every call, at a third of what the library's cost."""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Series:
    """The counts of one combination of labels; `observe` may be called from any thread."""

    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count a value into the first bucket whose bound is not below it."""
        index = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[index] += 1
            self._sum += value

    def read(self) -> tuple[list[int], float]:
        """Return how many values lie at or below each bound and in all, and their sum."""
        with self._lock:
            return list(accumulate(self._counts)), self._sum


class Tally:
    """A count that only grows; `inc` may be called from any thread."""

    __slots__ = ("_count", "_lock")

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def inc(self) -> None:
        """Count one."""
        with self._lock:
            self._count += 1

    def read(self) -> int:
        """Return the count."""
        return self._count


class Counter(Collector):
    """A counter, whose name ends in _total."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        registry: CollectorRegistry,
    ) -> None:
        self._name, self._documentation, self._label_names = name, documentation, label_names
        self._tallies: dict[tuple[str, ...], Tally] = {}
        registry.register(self)

    def labels(self, *values: str) -> Tally:
        """Return the series of these label values, which exists from then on."""
        return self._tallies.setdefault(values, Tally())

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Return what Prometheus reads."""
        family = CounterMetricFamily(
            self._name, self._documentation, labels=tuple(self._label_names)
        )
        for values, tally in list(self._tallies.items()):
            family.add_metric(values, tally.read())
        return [family]


class Histogram(Collector):
    """A histogram with the given upper bounds, ascending, and an infinite last one."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name, self._documentation = name, documentation
        self._label_names, self._bounds = label_names, bounds
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def labels(self, *values: str) -> Series:
        """Return the series of these label values, which exists from then on."""
        series = self._series.get(values)
        if series is None:
            # Of two threads that come here at once, both get the same.
            series = self._series.setdefault(values, Series(self._bounds))
        return series

    def remove(self, *values: str) -> None:
        """Forget the series of these label values, if there is one."""
        self._series.pop(values, None)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return what Prometheus reads."""
        family = HistogramMetricFamily(
            self._name, self._documentation, labels=tuple(self._label_names)
        )
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, series in list(self._series.items()):
            counts, total = series.read()
            family.add_metric(values, list(zip(names, counts, strict=True)), total)
        return [family]
