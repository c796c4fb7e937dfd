"""Calls are due at their rate, and those of all processes make up the whole."""

import dataclasses
import itertools

import numpy as np
import pytest

from mlpserve.bench.load.schedule import NANOSECONDS, arrivals
from mlpserve.bench.result import Arrivals, Plan

PLAN = Plan("localhost:50051", rate=1000.0)


def times(plan: Plan, seconds: float) -> list[list[int]]:
    return [list(arrivals(plan, process, seconds)) for process in range(plan.processes)]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize(
    ("rate", "seconds"), [(1000.0, 20.0), (7.0, 1.0), (0.3, 10.0), (3.0, 0.01)]
)
def test_constant_arrivals_are_dealt_in_turn(processes: int, rate: float, seconds: float) -> None:
    plan = dataclasses.replace(PLAN, rate=rate, processes=processes)
    whole = sorted(itertools.chain(*times(plan, seconds)))
    count = int(np.ceil(rate * seconds))
    assert whole == [round(number * NANOSECONDS / rate) for number in range(count)]
    assert whole[-1] < seconds * NANOSECONDS


def test_poisson_arrivals_come_at_the_rate_whatever_came_before() -> None:
    plan = dataclasses.replace(PLAN, arrivals=Arrivals.POISSON, processes=2)
    first, second = times(plan, 60.0)
    whole = np.array(sorted(first + second))
    assert whole[-1] < 60 * NANOSECONDS
    # Seeded, so that this is not a matter of chance: 60,000 calls, give or take four deviations.
    assert abs(len(whole) - 60_000) < 4 * np.sqrt(60_000)
    gaps = np.diff(whole) / NANOSECONDS
    assert np.std(gaps) == pytest.approx(np.mean(gaps), rel=0.02)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.02
    assert len(first) == pytest.approx(len(second), rel=0.05)


def test_the_seed_decides_poisson_arrivals() -> None:
    plan = dataclasses.replace(PLAN, arrivals=Arrivals.POISSON, processes=2)
    first, second = times(plan, 1.0)
    assert times(plan, 1.0) == [first, second]
    assert first != second
    assert times(dataclasses.replace(plan, seed=1), 1.0) != [first, second]


def test_a_closed_loop_has_none() -> None:
    with pytest.raises(ValueError, match="rate is None"):
        next(arrivals(dataclasses.replace(PLAN, rate=None, concurrency=1), 0, 1.0))
