"""Counters and histograms for what happens in every call, at a third of what the library's cost.

Each family writes itself as the lines of Prometheus' text format, which both of its versions share.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString

Labels = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Family:
    """The samples of one metric as lines; a counter's name comes without its _total."""

    name: str
    kind: str
    documentation: str
    lines: str


def spell(labels: Labels) -> str:
    """Return labels as they stand between a sample's braces."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class Series:
    """The counts of values by the first of some ascending bounds that is not below them."""

    __slots__ = ("_bounds", "_counts", "_lock", "_names", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()
        self._names = [*map(floatToGoString, bounds), "+Inf"]

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, which may have been seen several times; any thread may."""
        index = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[index] += times
            self._sum += value * times

    def observe_all(self, values: Sequence[float]) -> None:
        """Count values."""
        bounds, counts = self._bounds, self._counts
        with self._lock:
            for value in values:
                counts[bisect_left(bounds, value)] += 1
            self._sum += sum(values)

    def add(self, counts: Iterable[int], total: float) -> None:
        """Count values that somebody else has sorted, and that have this sum."""
        with self._lock:
            self._counts = [old + new for old, new in zip(self._counts, counts, strict=True)]
            self._sum += total

    def read(self) -> tuple[list[int], float]:
        """Return how many values lie at or below each bound and in all, and their sum."""
        with self._lock:
            return list(accumulate(self._counts)), self._sum

    def bins(self) -> Mapping[str, int]:
        """Return how many values lie between each bound, by its name, and the one before."""
        with self._lock:
            return dict(zip(self._names, self._counts, strict=True))

    def write(self, name: str, labels: str) -> str:
        """Return the lines of a histogram of this name."""
        counts, total = self.read()
        lines = [
            f'{name}_bucket{{{labels},le="{bound}"}} {count}\n'
            for bound, count in zip(self._names, counts, strict=True)
        ]
        return "".join(
            (*lines, f"{name}_count{{{labels}}} {counts[-1]}\n{name}_sum{{{labels}}} {total}\n")
        )


class Tally:
    """A count that only grows; `inc` may be called from any thread."""

    __slots__ = ("_count", "_lock")

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def inc(self, amount: int = 1) -> None:
        """Count so many more."""
        with self._lock:
            self._count += amount

    def read(self) -> int:
        """Return the count."""
        return self._count

    def write(self, name: str, labels: str) -> str:
        """Return the line of a counter of this name."""
        return f"{name}_total{{{labels}}} {self._count}\n"


class Counter:
    """The tallies of one counter, by the values of its labels; its name comes without _total."""

    def __init__(self, name: str, documentation: str, label_names: Sequence[str]) -> None:
        self._name, self._documentation, self._label_names = name, documentation, label_names
        self._tallies: dict[tuple[str, ...], Tally] = {}

    def labels(self, *values: str) -> Tally:
        """Return the tally of these label values, which exists from then on."""
        tally = self._tallies.get(values)
        # Of two threads that come here at once, both get the same.
        return self._tallies.setdefault(values, Tally()) if tally is None else tally

    def write(self, *labels: tuple[str, str]) -> list[Family]:
        """Return the family, each sample with these labels and its own."""
        lines = (
            tally.write(self._name, _join(labels, self._label_names, values))
            for values, tally in list(self._tallies.items())
        )
        return [Family(self._name, "counter", self._documentation, "".join(lines))]


class Histogram:
    """The series of one histogram, by the values of its labels."""

    def __init__(
        self, name: str, documentation: str, label_names: Sequence[str], bounds: Sequence[float]
    ) -> None:
        self._name, self._documentation = name, documentation
        self._label_names, self._bounds = label_names, bounds
        self._series: dict[tuple[str, ...], Series] = {}

    def labels(self, *values: str) -> Series:
        """Return the series of these label values, which exists from then on."""
        return self._series.setdefault(values, Series(self._bounds))

    def write(self, *labels: tuple[str, str]) -> list[Family]:
        """Return the family, each sample with these labels and its own."""
        lines = (
            series.write(self._name, _join(labels, self._label_names, values))
            for values, series in list(self._series.items())
        )
        return [Family(self._name, "histogram", self._documentation, "".join(lines))]


def _join(labels: Labels, names: Sequence[str], values: Sequence[str]) -> str:
    return spell((*labels, *zip(names, values, strict=True)))


def of_library(registry: CollectorRegistry, *labels: tuple[str, str]) -> list[Family]:
    """Return the families of the library's own metrics, each sample with these labels too."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            "".join(
                f"{sample.name}{{{spell((*labels, *sample.labels.items()))}}} "
                f"{float(sample.value)}\n"
                for sample in metric.samples
            ),
        )
        for metric in registry.collect()
    ]


class Calls:
    """The calls of one method: what came, what went, how each ended and how long it took."""

    __slots__ = (
        "_bounds",
        "_lock",
        "codes",
        "counts",
        "received",
        "seconds",
        "sent",
        "started",
    )

    def __init__(self, bounds: Sequence[float], codes: Iterable[str]) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self.started = self.received = self.sent = 0
        self.codes = dict.fromkeys(codes, 0)
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        with self._lock:
            self.started += 1
        return time.perf_counter()

    def end(self, begin: float, code: str, received: int = 0, sent: int = 0) -> float:
        """Count a call that has ended, and messages that it had; returns its seconds."""
        seconds = time.perf_counter() - begin
        index = bisect_left(self._bounds, seconds)
        with self._lock:
            self.counts[index] += 1
            self.seconds += seconds
            self.codes[code] = self.codes.get(code, 0) + 1
            self.received += received
            self.sent += sent
        return seconds

    def exchange(self, received: int = 0, sent: int = 0) -> None:
        """Count messages of a call that goes on."""
        with self._lock:
            self.received += received
            self.sent += sent


class Methods:
    """The families of all methods' calls, under the names that gRPC dashboards expect."""

    LABELS = ("grpc_type", "grpc_service", "grpc_method")

    def __init__(self, bounds: Sequence[float], codes: Sequence[str]) -> None:
        self._bounds, self._codes = bounds, codes
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._calls: dict[tuple[str, ...], Calls] = {}

    def of(self, kind: str, service: str, method: str) -> Calls:
        """Return a method's calls, whose series exist from then on."""
        return self._calls.setdefault((kind, service, method), Calls(self._bounds, self._codes))

    def total(self) -> tuple[int, int]:
        """Return how many calls have started and ended."""
        calls = list(self._calls.values())
        return sum(one.started for one in calls), sum(sum(one.counts) for one in calls)

    def write(self, *labels: tuple[str, str]) -> list[Family]:
        """Return the families, each sample with these labels and its method's."""
        known = [
            (spell((*labels, *zip(self.LABELS, values, strict=True))), calls)
            for values, calls in list(self._calls.items())
        ]
        counters = (
            ("started", "Calls that reached the server.", "started"),
            ("msg_received", "Messages of callers that the server has read.", "received"),
            ("msg_sent", "Messages that the server has sent.", "sent"),
        )
        families = [
            Family(
                f"grpc_server_{name}",
                "counter",
                documentation,
                "".join(
                    f"grpc_server_{name}_total{{{own}}} {getattr(calls, attribute)}\n"
                    for own, calls in known
                ),
            )
            for name, documentation, attribute in counters
        ]
        families.append(
            Family(
                "grpc_server_handled",
                "counter",
                "Calls that ended, by status code.",
                "".join(
                    f'grpc_server_handled_total{{{own},grpc_code="{code}"}} {count}\n'
                    for own, calls in known
                    for code, count in list(calls.codes.items())
                ),
            )
        )
        families.append(
            Family(
                "grpc_server_calls_in_progress",
                "gauge",
                "Calls that have started and not ended.",
                "".join(
                    f"grpc_server_calls_in_progress{{{own}}} {calls.started - sum(calls.counts)}\n"
                    for own, calls in known
                ),
            )
        )
        families.append(
            Family(
                "grpc_server_handling_seconds",
                "histogram",
                "Time from a call's arrival at the server until its answer is sent.",
                "".join(self._write_seconds(own, calls) for own, calls in known),
            )
        )
        return families

    def _write_seconds(self, labels: str, calls: Calls) -> str:
        counts = list(accumulate(calls.counts))
        lines = [
            f'grpc_server_handling_seconds_bucket{{{labels},le="{bound}"}} {count}\n'
            for bound, count in zip(self._names, counts, strict=True)
        ]
        lines.append(f"grpc_server_handling_seconds_count{{{labels}}} {counts[-1]}\n")
        lines.append(f"grpc_server_handling_seconds_sum{{{labels}}} {calls.seconds}\n")
        return "".join(lines)
