"""What is counted of every call of any service, under the names that gRPC dashboards expect."""

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from server.telemetry.accumulators import MOST_WAITING, Family, Label, spell, write_histogram

LABELS = ("grpc_type", "grpc_service", "grpc_method")


class Calls:
    """The calls of one method: what came, what went, how each ended and how long it took."""

    __slots__ = (
        "_bounds",
        "_codes",
        "_counts",
        "_ended",
        "_lock",
        "_received",
        "_seconds",
        "_sent",
        "_started",
    )

    def __init__(self, bounds: Sequence[float], codes: Iterable[str]) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._started = self._received = self._sent = 0
        self._codes = dict.fromkeys(codes, 0)
        self._counts = [0] * (len(bounds) + 1)
        self._seconds = 0.0
        # Those that have yet to be counted: how they ended, after how many seconds, and how many
        # messages were received and sent.
        self._ended: deque[tuple[str, float, int, int]] = deque()

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        with self._lock:
            self._started += 1
        return time.perf_counter()

    def end(self, begin: float, code: str, received: int = 0, sent: int = 0) -> float:
        """Count a call that has ended, and messages that it had; returns its seconds."""
        seconds = time.perf_counter() - begin
        self._ended.append((code, seconds, received, sent))
        if len(self._ended) >= MOST_WAITING:
            with self._lock:
                self._sort()
        return seconds

    def exchange(self, received: int = 0, sent: int = 0) -> None:
        """Count messages of a call that goes on."""
        with self._lock:
            self._received += received
            self._sent += sent

    def read(self) -> "Counted":
        """Return all counts as they are now."""
        with self._lock:
            self._sort()
            return Counted(
                self._started,
                self._received,
                self._sent,
                dict(self._codes),
                list(accumulate(self._counts)),
                self._seconds,
            )

    def _sort(self) -> None:
        """Count those that have ended; for who holds the lock."""
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
    """The counts of a method's calls: `codes` by how they ended, `counts` of those that took no
    longer than each bound and, last, of all that have ended, `seconds` that these took together.
    """

    started: int
    received: int
    sent: int
    codes: Mapping[str, int]
    counts: Sequence[int]
    seconds: float


class Methods:
    """The families of all methods' calls, under the names that gRPC dashboards expect."""

    def __init__(self, bounds: Sequence[float], codes: Sequence[str]) -> None:
        self._bounds, self._codes = bounds, codes
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._calls: dict[tuple[str, ...], Calls] = {}

    def of(self, kind: str, service: str, method: str) -> Calls:
        """Return a method's calls, whose series exist from then on."""
        key = kind, service, method
        return self._calls.setdefault(key, Calls(self._bounds, self._codes))

    def total(self) -> tuple[int, int]:
        """Return how many calls have started and ended."""
        counted = [calls.read() for calls in list(self._calls.values())]
        return sum(one.started for one in counted), sum(one.counts[-1] for one in counted)

    def write(self, *labels: Label) -> list[Family]:
        """Return the families, each sample with these labels and its method's."""
        known = [
            (spell((*labels, *zip(LABELS, values, strict=True))), calls.read())
            for values, calls in list(self._calls.items())
        ]

        def family(
            name: str, kind: str, documentation: str, write: Callable[[str, Counted], str]
        ) -> Family:
            lines = "".join(write(own, calls) for own, calls in known)
            return Family(f"grpc_server_{name}", kind, documentation, LABELS, lines)

        handled = "".join(
            f'grpc_server_handled_total{{{own},grpc_code="{code}"}} {count}\n'
            for own, calls in known
            for code, count in calls.codes.items()
        )
        return [
            family(
                "started",
                "counter",
                "Calls that reached the server.",
                lambda own, calls: f"grpc_server_started_total{{{own}}} {calls.started}\n",
            ),
            Family(
                "grpc_server_handled",
                "counter",
                "Calls that ended, by status code.",
                (*LABELS, "grpc_code"),
                handled,
            ),
            family(
                "msg_received",
                "counter",
                "Messages of callers that the server has read.",
                lambda own, calls: f"grpc_server_msg_received_total{{{own}}} {calls.received}\n",
            ),
            family(
                "msg_sent",
                "counter",
                "Messages that the server has sent.",
                lambda own, calls: f"grpc_server_msg_sent_total{{{own}}} {calls.sent}\n",
            ),
            family(
                "calls_in_progress",
                "gauge",
                "Calls that have started and not ended.",
                lambda own, calls: (
                    f"grpc_server_calls_in_progress{{{own}}} "
                    f"{max(0, calls.started - calls.counts[-1])}\n"
                ),
            ),
            family(
                "handling_seconds",
                "histogram",
                "Time from a call's arrival at the server until its answer is sent.",
                self._write_seconds,
            ),
        ]

    def _write_seconds(self, labels: str, calls: Counted) -> str:
        name = "grpc_server_handling_seconds"
        return write_histogram(name, labels, self._names, calls.counts, calls.seconds)
