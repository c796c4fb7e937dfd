"""Adds up the rows of all processes: counts, histograms, and what happened when."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from mlpserve.bench.histogram import WINDOW_DIGITS, new_histogram, record
from mlpserve.bench.load.recorder import (
    CODE,
    ENDED,
    IMAGES,
    INTENDED,
    N_COLUMNS,
    SENT,
    UNSENT,
    WRONG,
    Rows,
)
from mlpserve.bench.load.schedule import NANOSECONDS
from mlpserve.bench.load.stalls import Timeline, find_stalls
from mlpserve.bench.result import Plan, Result, Window

_ROWS_AT_ONCE = 50_000
"""Rows that are put into histograms together, which takes less time the more there are."""

CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(slots=True)
class _Second:
    """What is known of one second so far."""

    intended: HdrHistogram
    service: HdrHistogram
    sent: int = 0
    unsent: int = 0
    answered: int = 0
    failed: int = 0


class Collector:
    """Adds up what became of a plan's calls."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._intended, self._service, self._lag = (new_histogram() for _ in range(3))
        self._seconds: list[_Second] = []
        self._sent, self._ends = Timeline(), Timeline()
        self._codes: Counter[int] = Counter()
        self._messages: dict[int, str] = {}
        self._images = self._wrong = self._unsent = 0
        self._last_end = 0
        self._waiting: list[Rows] = []
        self._n_waiting = 0

    @property
    def answered(self) -> int:
        """Calls answered OK so far."""
        return self._codes[0]

    @property
    def failed(self) -> int:
        """Calls that ended otherwise."""
        return self._codes.total() - self._codes[0]

    @property
    def unsent(self) -> int:
        """Calls that had no place in flight."""
        return self._unsent

    def add(self, rows: Rows, messages: dict[int, str]) -> None:
        """Add rows (N, N_COLUMNS), and the details of some statuses."""
        self._messages = messages | self._messages
        if not len(rows):
            return
        was_sent = rows[:, CODE] != UNSENT
        sent = rows[was_sent]
        codes, counts = np.unique(sent[:, CODE], return_counts=True)
        self._codes.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        is_ok = sent[:, CODE] == 0
        self._images += int(sent[is_ok, IMAGES].sum())
        self._wrong += int(sent[:, WRONG].sum())
        self._unsent += len(rows) - len(sent)
        self._sent.add(sent[:, SENT])
        self._ends.add(sent[:, ENDED])
        if len(sent):
            self._last_end = max(self._last_end, int(sent[:, ENDED].max()))
        self._waiting.append(rows)
        self._n_waiting += len(rows)
        if self._n_waiting >= _ROWS_AT_ONCE:
            self._flush()

    def result(self, started_at: float, **others: Any) -> Result:
        """Return what came of the plan; `others` are fields that the processes' ends tell."""
        self._flush()
        plan = self._plan
        seconds = self._last_end / NANOSECONDS
        return Result(
            plan=plan,
            started_at=started_at,
            seconds=seconds,
            sent=self._codes.total(),
            answered=self._codes[0],
            images=self._images,
            unsent=self._unsent,
            codes={CODE_NAMES[code]: count for code, count in sorted(self._codes.items())},
            messages={CODE_NAMES[code]: text for code, text in sorted(self._messages.items())},
            wrong_labels=self._wrong if plan.check else None,
            intended=self._intended,
            service=self._service,
            lag=self._lag,
            windows=tuple(
                Window(
                    number,
                    second.sent,
                    second.unsent,
                    second.answered,
                    second.failed,
                    second.intended,
                    second.service,
                )
                for number, second in enumerate(self._seconds)
            ),
            stalls=tuple(find_stalls(self._sent, self._ends, seconds)),
            **others,
        )

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        sent = rows[rows[:, CODE] != UNSENT]
        is_ok = sent[:, CODE] == 0
        intended, service = _latencies(sent[is_ok])
        record(self._intended, intended)
        record(self._service, service)
        if self._plan.concurrency is None:
            record(self._lag, _microseconds(sent[:, SENT] - sent[:, INTENDED]))
        self._flush_seconds(rows, sent, is_ok)

    def _flush_seconds(self, rows: Rows, sent: Rows, is_ok: npt.NDArray[np.bool_]) -> None:
        for number, some in _by_second(rows[rows[:, CODE] == UNSENT], INTENDED):
            self._second(number).unsent += len(some)
        for number, some in _by_second(sent, INTENDED):
            second = self._second(number)
            second.sent += len(some)
            intended, service = _latencies(some[some[:, CODE] == 0])
            record(second.intended, intended)
            record(second.service, service)
        for number, some in _by_second(sent[is_ok], ENDED):
            self._second(number).answered += len(some)
        for number, some in _by_second(sent[~is_ok], ENDED):
            self._second(number).failed += len(some)

    def _second(self, number: int) -> _Second:
        while number >= len(self._seconds):
            self._seconds.append(
                _Second(new_histogram(WINDOW_DIGITS), new_histogram(WINDOW_DIGITS))
            )
        return self._seconds[number]


def no_rows() -> Rows:
    """Return no rows at all."""
    return np.empty((0, N_COLUMNS), np.int64)


def _latencies(rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the microseconds from when calls should have been sent, and from when they were."""
    ended = rows[:, ENDED]
    return _microseconds(ended - rows[:, INTENDED]), _microseconds(ended - rows[:, SENT])


def _microseconds(nanoseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (nanoseconds + 500) // 1000


def _by_second(rows: Rows, column: int) -> list[tuple[int, Rows]]:
    """Return rows by the second that a column's time lies in."""
    numbers = np.maximum(rows[:, column], 0) // NANOSECONDS
    return [(int(number), rows[numbers == number]) for number in np.unique(numbers)]
