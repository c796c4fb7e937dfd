"""Searches for the largest rate that a server holds, by runs at one rate after another."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mlpserve.bench.findings import FULL_CORE, failed_calls, is_tool_limit
from mlpserve.bench.histogram import quantile_seconds
from mlpserve.bench.result import Result

MIN_RATE, MAX_RATE = 1.0, 1e6
"""Calls a second between which a rate is searched for."""

PRECISION = 0.05
"""How far apart, as a share, the rate that holds and the one that does not may be at the end."""

MAX_PROBES = 30
FAIL_VOTES, HOLD_MARGIN, FAIL_MARGIN, MAX_VOTES = 2, 2, 3, 7
"""One run may have had good luck or bad. On the way, as many runs as `FAIL_VOTES` and most of those
at a rate make it one that does not hold, and one that it holds. In the end the two that remain must
have been seen to hold or not in so many runs more than the opposite, or in most of `MAX_VOTES`.
"""


class Limit(StrEnum):
    """Why a rate does not hold."""

    LATENCY = "latency"
    ERRORS = "errors"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Trial:
    """A run at a rate, and what was wrong with it; None: it held."""

    rate: float
    result: Result
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    rate
        The largest rate that held, None if none did.
    is_confirmed
        Whether both rates were seen often enough, and the search came to its end.
    failing_rate, limit
        The smallest rate that did not hold and what was wrong with it in most runs; None if there
        is none.
    trials
        Every run, in order.
    """

    rate: float | None
    is_confirmed: bool
    failing_rate: float | None
    limit: Limit | None
    trials: tuple[Trial, ...]


def limit_of(result: Result, p99_seconds: float) -> Limit | None:
    """Return what is wrong with a run; None if it holds.

    It holds when all calls were answered OK, 99% of them within `p99_seconds` of when they should
    have been sent, however late the tool sent them. When it does not, it is the tool's fault if it
    was late and had no time left, or if its lag is what keeps the rate from holding, or most of the
    latency.
    """
    p99 = quantile_seconds(result.intended, 0.99)
    is_whole = not (failed_calls(result) or result.unsent or result.lost_processes)
    if is_whole and p99 is not None and p99 <= p99_seconds:
        return None
    return _blame(result, p99, p99_seconds)


def _blame(result: Result, p99: float | None, p99_seconds: float) -> Limit:
    is_late = is_tool_limit(result)
    if result.lost_processes or (is_late and result.busy >= FULL_CORE):
        return Limit.TOOL
    if p99 is None or failed_calls(result):
        return Limit.ERRORS
    lag = quantile_seconds(result.lag, 0.99) or 0.0
    return Limit.TOOL if is_late and p99 - lag <= max(lag, p99_seconds) else Limit.LATENCY


def find_rate(
    probe: Callable[[float], Result],
    p99_seconds: float,
    *,
    start_rate: float = 100.0,
    min_rate: float = MIN_RATE,
    max_probes: int = MAX_PROBES,
    tell: Callable[[Trial], None] = lambda _trial: None,
) -> Found:
    """Run `probe` at rates in calls a second until the largest that holds is known within
    `PRECISION`, `max_probes` have been run or one was interrupted.

    The rate is doubled from `start_rate` until it does not hold, then the way between is halved;
    nothing below `min_rate` is tried. `tell` hears of each run as soon as it is over.
    """
    votes = _Votes(max(start_rate, min_rate), min_rate)
    trials: list[Trial] = []
    while len(trials) < max_probes and (rate := votes.next_rate()) is not None:
        result = probe(rate)
        if result.is_interrupted:
            break
        trial = Trial(rate, result, limit_of(result, p99_seconds))
        trials.append(trial)
        votes.add(rate, holds=trial.limit is None)
        tell(trial)
    low, high = votes.bounds()
    limits = Counter(trial.limit for trial in trials if trial.rate == high and trial.limit)
    return Found(
        rate=low or None,
        is_confirmed=votes.next_rate() is None,
        failing_rate=high if limits else None,
        limit=limits.most_common(1)[0][0] if limits else None,
        trials=tuple(trials),
    )


@dataclass(frozen=True, slots=True)
class _Votes:
    """How many runs at each rate held, and how many did not."""

    start_rate: float
    min_rate: float
    held: Counter[float] = field(default_factory=Counter)
    failed: Counter[float] = field(default_factory=Counter)

    def add(self, rate: float, *, holds: bool) -> None:
        (self.held if holds else self.failed)[rate] += 1

    def bounds(self) -> tuple[float, float]:
        """Return the largest rate that holds, as far as is known, and the smallest that does not;
        0 and infinity if there is none.
        """
        failing = (rate for rate, failed in self.failed.items() if failed >= FAIL_VOTES)
        high = min((rate for rate in failing if self._margin(rate) < 0), default=math.inf)
        holding = (rate for rate in self.held if rate < high and self._margin(rate) > 0)
        return max(holding, default=0.0), high

    def next_rate(self) -> float | None:
        """Return at which rate to run next; None when there is nothing to learn."""
        low, high = self.bounds()
        disputed = [rate for rate in self.failed if low < rate < high]
        if disputed:
            return max(disputed)
        if not low:
            if high <= self.min_rate:
                return None if self._is_sure(high, FAIL_MARGIN) else high
            return self.start_rate if high == math.inf else max(_round(high / 2), self.min_rate)
        if low < MAX_RATE and high > low * (1 + PRECISION):
            return min(_round(2 * low if high == math.inf else math.sqrt(low * high)), MAX_RATE)
        if not self._is_sure(low, HOLD_MARGIN):
            return low
        return None if high == math.inf or self._is_sure(high, FAIL_MARGIN) else high

    def _margin(self, rate: float) -> int:
        return self.held[rate] - self.failed[rate]

    def _is_sure(self, rate: float, margin: int) -> bool:
        votes = self.held[rate] + self.failed[rate]
        return votes >= MAX_VOTES or abs(self._margin(rate)) >= margin


def _round(rate: float) -> float:
    """Return the rate with three digits, as it is shown."""
    return float(f"{rate:.3g}")
