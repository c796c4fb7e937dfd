"""Counters, gauges and histograms, at a third of what the library's cost in every call.

Each metric writes itself as the lines of Prometheus' text format, which both of its versions share.
"""

import functools
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """The samples of one metric as lines; a counter's name comes without its _total."""

    name: str
    kind: str
    documentation: str
    label_names: Sequence[str]
    lines: str


def spell(labels: Iterable[Label]) -> str:
    """Return labels as they stand between a sample's braces."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


MOST_WAITING = 256
"""Values that wait to be sorted into bounds together, which costs a call less than one by one."""


class Series:
    """The counts of values by the first of some ascending bounds that is not below them.

    Any thread may use it.
    """

    __slots__ = ("_bounds", "_counts", "_lock", "_names", "_sum", "_waiting")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._waiting: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        # Only here: the parent has no histograms, and so nothing to do with the library.
        from prometheus_client.utils import floatToGoString

        self._names = [*map(floatToGoString, bounds), "+Inf"]

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, which may have been seen several times."""
        self._waiting.append((value, times))
        if len(self._waiting) >= MOST_WAITING:
            with self._lock:
                self._sort()

    def observe_all(self, values: Iterable[float]) -> None:
        """Count values."""
        self._waiting.extend([(value, 1) for value in values])
        if len(self._waiting) >= MOST_WAITING:
            with self._lock:
                self._sort()

    def add(self, counts: Iterable[int], total: float) -> None:
        """Count values that somebody else has sorted, and that have this sum."""
        with self._lock:
            self._counts = [old + new for old, new in zip(self._counts, counts, strict=True)]
            self._sum += total

    def _sort(self) -> None:
        """Count what waits; for who holds the lock."""
        waiting, bounds, counts = self._waiting, self._bounds, self._counts
        total = 0.0
        # Others may go on adding.
        for _ in range(len(waiting)):
            value, times = waiting.popleft()
            counts[bisect_left(bounds, value)] += times
            total += value * times
        self._sum += total

    def read(self) -> tuple[list[int], float]:
        """Return how many values lie at or below each bound and in all, and their sum."""
        with self._lock:
            self._sort()
            return list(accumulate(self._counts)), self._sum

    def bins(self) -> Mapping[str, int]:
        """Return how many values lie between each bound, by its name, and the one before."""
        with self._lock:
            self._sort()
            return dict(zip(self._names, self._counts, strict=True))

    def write(self, name: str, labels: str) -> str:
        """Return the lines of a histogram of this name."""
        return write_histogram(name, labels, self._names, *self.read())


class Tally:
    """A count that only grows, or that a function tells; `inc` may be called from any thread."""

    __slots__ = ("_count", "_lock", "_read")

    def __init__(self) -> None:
        self._count = 0
        self._read: Callable[[], int] | None = None
        self._lock = threading.Lock()

    def set_function(self, read: Callable[[], int]) -> None:
        """Make it what the function returns, which never gets less."""
        self._read = read

    def inc(self, amount: int = 1) -> None:
        """Count so many more."""
        with self._lock:
            self._count += amount

    def write(self, name: str, labels: str) -> str:
        """Return the line of a counter of this name."""
        count = self._count if self._read is None else self._read()
        braced = f"{{{labels}}}" if labels else ""
        return f"{name}_total{braced} {count}\n"


class Level:
    """A number that goes up and down, or that a function tells when somebody asks."""

    __slots__ = ("_read", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._read: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        """Make it this number."""
        self._value = value

    def set_function(self, read: Callable[[], float]) -> None:
        """Make it what the function returns."""
        self._read = read

    def write(self, name: str, labels: str) -> str:
        """Return the line of a gauge of this name."""
        value = self._value if self._read is None else self._read()
        braced = f"{{{labels}}}" if labels else ""
        return f"{name}{braced} {float(value)}\n"


def write_histogram(
    name: str, labels: str, bounds: Sequence[str], counts: Sequence[int], total: float
) -> str:
    """Return the lines of a histogram: how many values lie up to each bound, and their sum."""
    lines = [
        f'{name}_bucket{{{labels},le="{bound}"}} {count}\n'
        for bound, count in zip(bounds, counts, strict=True)
    ]
    lines.append(f"{name}_count{{{labels}}} {counts[-1]}\n{name}_sum{{{labels}}} {total}\n")
    return "".join(lines)


class Child(Protocol):
    """What one combination of a metric's labels counts."""

    def write(self, name: str, labels: str, /) -> str:
        """Return its lines."""
        ...


C = TypeVar("C", bound=Child)


class Metric(Generic[C]):
    """One metric, by the values of its labels; a counter's name comes without its _total."""

    def __init__(
        self,
        name: str,
        kind: str,
        documentation: str,
        label_names: Sequence[str],
        make: Callable[[], C],
    ) -> None:
        self._name, self._kind, self._documentation = name, kind, documentation
        self._label_names, self._make = label_names, make
        self._children: dict[tuple[str, ...], C] = {}

    def labels(self, *values: str) -> C:
        """Return the child of these label values, which exists from then on."""
        child = self._children.get(values)
        # Of two threads that come here at once, both get the same.
        return self._children.setdefault(values, self._make()) if child is None else child

    def remove(self, *values: str) -> None:
        """Forget the child of these label values, if there is one."""
        self._children.pop(values, None)

    def write(self, *labels: Label) -> list[Family]:
        """Return the family, each sample with these labels and its own."""
        lines = (
            child.write(self._name, spell((*labels, *zip(self._label_names, values, strict=True))))
            for values, child in list(self._children.items())
        )
        described = self._name, self._kind, self._documentation, self._label_names
        return [Family(*described, "".join(lines))]


class Writes(Protocol):
    """One metric or several."""

    def write(self, *labels: Label) -> list[Family]:
        """Return the families, each sample with these labels too."""
        ...


W = TypeVar("W", bound=Writes)


class Registry:
    """All metrics of a process."""

    def __init__(self) -> None:
        self._metrics: list[Writes] = []

    def counter(
        self, name: str, documentation: str, label_names: Sequence[str] = ()
    ) -> Metric[Tally]:
        """Declare a counter, its name without _total."""
        return self.add(Metric(name, "counter", documentation, label_names, Tally))

    def gauge(
        self, name: str, documentation: str, label_names: Sequence[str] = ()
    ) -> Metric[Level]:
        """Declare a gauge."""
        return self.add(Metric(name, "gauge", documentation, label_names, Level))

    def histogram(
        self, name: str, documentation: str, label_names: Sequence[str], bounds: Sequence[float]
    ) -> Metric[Series]:
        """Declare a histogram with ascending bounds."""
        make = functools.partial(Series, bounds)
        return self.add(Metric(name, "histogram", documentation, label_names, make))

    def add(self, metric: W) -> W:
        """Add something that writes its families itself."""
        self._metrics.append(metric)
        return metric

    def write(self, *labels: Label) -> list[Family]:
        """Return all families, each sample with these labels and its own."""
        return [family for metric in self._metrics for family in metric.write(*labels)]


@dataclass(frozen=True, slots=True)
class Library:
    """The metrics that the library has of a process, of Python and of its memory."""

    registry: "CollectorRegistry"

    def write(self, *labels: Label) -> list[Family]:
        """Return the families, each sample with these labels too."""
        return [
            Family(
                metric.name,
                metric.type,
                metric.documentation,
                tuple(metric.samples[0].labels) if metric.samples else (),
                "".join(
                    f"{sample.name}{{{spell((*labels, *sample.labels.items()))}}} "
                    f"{float(sample.value)}\n"
                    for sample in metric.samples
                ),
            )
            for metric in self.registry.collect()
        ]
