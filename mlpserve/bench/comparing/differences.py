"""Compares two results, figure by figure."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mlpserve.bench.buckets import read_bounds, read_counts
from mlpserve.bench.comparing.bootstrap import MAX_ROWS, Floats, ratio_interval, resample
from mlpserve.bench.findings import MIN_CALLS_BEYOND, failed_calls, is_tool_limit
from mlpserve.bench.histogram import WINDOW_DIGITS, new_histogram
from mlpserve.bench.result import Plan, Result, Window

MIN_SECONDS = 10
"""Seconds of a run that it takes to tell how much they vary."""

MIN_DIFFERENCE = 0.01
"""What is less is no difference: a window's histogram tells durations apart by about 1%."""

RATE = "calls/s OK"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
"""Of the latency from intended. The slowest call of all has no interval: it is one call."""

_TOLD_APART = frozenset({"address", "seconds", "warmup_seconds", "seed", "timeout_seconds"})
"""What may differ between plans without a word: where they ran, how long, and by which dice."""


class TooShort(ValueError):
    """A result has too few seconds or calls to be compared; the message says which."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of A and B: seconds, or calls a second.

    `low` and `high` enclose the ratio b / a; None: too few calls to tell.
    """

    name: str
    a: float
    b: float
    low: float | None = None
    high: float | None = None

    @property
    def ratio(self) -> float:
        """How many times as large B's figure is as A's."""
        return self.b / self.a if self.a else math.nan

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the interval leaves out 1, and the difference is worth a word."""
        if self.low is None or self.high is None:
            return False
        return not self.low <= 1 <= self.high and abs(self.ratio - 1) >= MIN_DIFFERENCE


def compare(a: Result, b: Result, *, seed: int = 0) -> tuple[Difference, ...]:
    """Return the rate of answered calls and the quantiles of latency; raises TooShort.

    The same results and seed give the same intervals.
    """
    rows_a, rows_b = _rows("A", a), _rows("B", b)
    random = np.random.default_rng(seed)
    # Most buckets are empty.
    used = np.flatnonzero(rows_a[:, 1:].any(0) | rows_b[:, 1:].any(0))
    rows_a, rows_b = (rows[:, [0, *(1 + used)]] for rows in (rows_a, rows_b))
    bounds = read_bounds(new_histogram(WINDOW_DIGITS))
    figures = partial(_figures, begins=bounds[used], ends=bounds[used + 1])
    (seen_a,), (seen_b,) = (figures(rows.mean(0, keepdims=True)) for rows in (rows_a, rows_b))
    drawn_a, drawn_b = (resample(rows, figures, random) for rows in (rows_a, rows_b))
    fewest_calls = min(a.answered, b.answered)
    fewest_rows = min(len(rows_a), len(rows_b))
    differences = []
    for column, (name, quantile) in enumerate({RATE: None, **QUANTILES}.items()):
        enough = quantile is None or (1 - quantile) * fewest_calls >= MIN_CALLS_BEYOND
        interval = (
            ratio_interval(drawn_a[:, column], drawn_b[:, column], fewest_rows)
            if enough
            else (None, None)
        )
        differences.append(
            Difference(name, float(seen_a[column]), float(seen_b[column]), *interval)
        )
    return tuple(differences)


def describe_doubts(a: Result, b: Result) -> Iterator[str]:
    """Yield what makes the results hard to compare, a sentence each."""
    plans = [
        f"{name} {_value(a.plan, name)} in A, {_value(b.plan, name)} in B"
        for name in (field.name for field in dataclasses.fields(Plan))
        if name not in _TOLD_APART and getattr(a.plan, name) != getattr(b.plan, name)
    ]
    if plans:
        yield f"The plans differ, which may explain everything: {'; '.join(plans)}."
    for name, result in (("A", a), ("B", b)):
        if is_tool_limit(result):
            yield f"In {name} the tool was the limit, so that its figures are not the server's."
        if failed := failed_calls(result) + result.unsent:
            yield f"In {name} {failed:,} calls were not answered OK; no latency contains them."
        if result.lost_processes:
            yield f"In {name} processes of the tool ended early, and calls are missing."


def _rows(name: str, result: Result) -> Floats:
    """Return the calls answered OK in each whole second, and the calls that were due in it by
    bucket of their latency: (n, 1 + n_buckets).
    """
    whole = math.floor(min(result.load_seconds, result.plan.seconds))
    windows = [window for window in result.windows if window.second < whole]
    if len(windows) < MIN_SECONDS:
        raise TooShort(
            f"{name} has {len(windows)} whole seconds, and it takes {MIN_SECONDS} to tell a "
            "difference from chance; run longer, 30 seconds or more"
        )
    rows = np.array(list(map(_row, windows)), np.float64)
    if not rows[:, 1:].any():
        raise TooShort(f"{name} has no call that was answered OK")
    size = math.ceil(len(rows) / MAX_ROWS)
    whole = len(rows) - len(rows) % size
    grouped: Floats = rows[:whole].reshape(-1, size, rows.shape[1]).mean(1)
    return grouped


def _row(window: Window) -> Sequence[int]:
    return [window.answered, *read_counts(window.intended).tolist()]


def _figures(rows: Floats, begins: Floats, ends: Floats) -> Floats:
    """Return the rate and the quantiles of the means of rows (m, 1 + n_buckets): (m, 1 + n).

    `begins` and `ends` are those of the buckets, in seconds, and durations lie evenly within a
    bucket. nan without calls.
    """
    sums = np.cumsum(rows[:, 1:], axis=1)
    columns = [rows[:, 0]]
    every = np.arange(len(rows))
    for quantile in QUANTILES.values():
        rank = quantile * sums[:, -1]
        bucket = np.argmax(sums >= rank[:, np.newaxis], axis=1)
        count = rows[every, 1 + bucket]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = 1 - (sums[every, bucket] - rank) / count
        columns.append(begins[bucket] + share * (ends[bucket] - begins[bucket]))
    return np.stack(columns, axis=1)


def _value(plan: Plan, name: str) -> str:
    value = getattr(plan, name)
    if name == "batch":
        return " ".join(f"{images}:{weight:g}" for images, weight in value)
    return "none" if value in (None, "", 0) else str(value)
