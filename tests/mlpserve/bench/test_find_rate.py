"""The search finds the largest rate that holds, through noise, within a bounded number of runs."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpserve.bench.find_rate import (
    FAIL_VOTES,
    HOLD_MARGIN,
    MAX_PROBES,
    MAX_RATE,
    MIN_RATE,
    PRECISION,
    Limit,
    Trial,
    find_rate,
    limit_of,
)
from mlpserve.bench.result import Result
from tests.mlpserve.bench.results import make_result

BOUND_SECONDS = 0.005
CAPACITY = 10_000.0
HELD_RATE = CAPACITY - math.log(100) / BOUND_SECONDS
"""The rate at which 99% of an M/M/1 queue's callers wait no longer than the bound."""


def run(p99_seconds: float, **others: Any) -> Result:
    """A run all of whose calls took so long."""
    return make_result(np.full((1, 10), min(p99_seconds, 100.0)), **others)


def mm1_p99_seconds(rate: float) -> float:
    """The time that 99% of the callers of an M/M/1 queue wait at most, which is exponential."""
    return math.log(100) / (CAPACITY - rate) if rate < CAPACITY else math.inf


def mm1(rate: float) -> Result:
    return run(mm1_p99_seconds(rate))


def unlucky(seed: int) -> Callable[[float], Result]:
    """The same queue on a machine that is up to a fifth slower or faster in each run, and stands
    still in every tenth.
    """
    random = np.random.default_rng(seed)

    def probe(rate: float) -> Result:
        p99_seconds = mm1_p99_seconds(rate) * random.lognormal(0, 0.1)
        return run(1.0 if random.random() < 0.1 else p99_seconds)

    return probe


@pytest.mark.parametrize("start_rate", [1.0, 100.0, 9000.0, 12_345.0, 900_000.0])
def test_a_queue(start_rate: float) -> None:
    found = find_rate(mm1, BOUND_SECONDS, start_rate=start_rate)
    assert found.rate is not None
    assert found.failing_rate is not None
    assert found.rate <= HELD_RATE < found.failing_rate <= found.rate * (1 + PRECISION) + 1
    assert found.is_confirmed
    assert found.limit is Limit.LATENCY
    assert len(found.trials) < MAX_PROBES


@pytest.mark.parametrize("seed", range(20))
def test_a_queue_on_a_noisy_machine(seed: int) -> None:
    found = find_rate(unlucky(seed), BOUND_SECONDS)
    # Near its capacity a tenth more or less of latency is a twentieth of the rate at most.
    assert found.rate == pytest.approx(HELD_RATE, rel=0.07)
    assert found.limit is Limit.LATENCY


def test_one_run_of_bad_luck_changes_nothing() -> None:
    unlucky_runs = {3, 11}
    count = iter(range(1000))

    def probe(rate: float) -> Result:
        return run(1.0) if next(count) in unlucky_runs else mm1(rate)

    assert find_rate(probe, BOUND_SECONDS).rate == find_rate(mm1, BOUND_SECONDS).rate


def test_one_run_of_good_luck_changes_nothing() -> None:
    seen = set()

    def probe(rate: float) -> Result:
        is_first = rate not in seen
        seen.add(rate)
        return run(0.001) if is_first and rate < 11_000 else mm1(rate)

    found = find_rate(probe, BOUND_SECONDS)
    assert found.rate is not None
    assert found.rate <= HELD_RATE <= found.rate * (1 + PRECISION) + 1


def test_a_server_that_never_holds() -> None:
    found = find_rate(lambda _rate: run(0.006), BOUND_SECONDS)
    assert (found.rate, found.limit, found.is_confirmed) == (None, Limit.LATENCY, True)
    assert min(trial.rate for trial in found.trials) == MIN_RATE


def test_below_the_least_rate_nothing_is_tried() -> None:
    found = find_rate(lambda _rate: run(0.006), BOUND_SECONDS, start_rate=100.0, min_rate=30.0)
    assert [trial.rate for trial in found.trials] == [100.0, 100.0, 50.0, 50.0, 30.0, 30.0, 30.0]
    assert (found.rate, found.failing_rate, found.is_confirmed) == (None, 30.0, True)
    first = find_rate(mm1, BOUND_SECONDS, start_rate=1.0, min_rate=30.0).trials[0]
    assert first.rate == 30.0


def test_a_server_that_always_holds() -> None:
    found = find_rate(lambda _rate: run(0.001), BOUND_SECONDS)
    assert (found.rate, found.failing_rate, found.limit) == (MAX_RATE, None, None)
    assert found.is_confirmed


@pytest.mark.parametrize(
    ("limit", "broken"),
    [
        (Limit.ERRORS, run(0.001, errors=1)),
        (Limit.TOOL, run(0.0051, lag_seconds=0.002)),
        (Limit.TOOL, run(1.0, lag_seconds=0.002, busy=0.95)),
        (Limit.TOOL, run(0.001, lag_seconds=0.002, busy=0.95, errors=1)),
        (Limit.ERRORS, run(0.001, lag_seconds=0.002, errors=1)),
        (Limit.TOOL, run(1.0, lag_seconds=0.6)),
        # Without the lag it would not have held either.
        (Limit.LATENCY, run(1.0, lag_seconds=0.4)),
        (Limit.LATENCY, run(1.0, lag_seconds=0.002)),
        (Limit.TOOL, run(0.001, lost_processes=("gone",))),
        (Limit.LATENCY, run(0.001, unsent=1)),
        (Limit.LATENCY, run(0.0051)),
        (Limit.ERRORS, make_result(np.empty((1, 0)))),
    ],
)
def test_what_stopped_it_is_told(limit: Limit, broken: Result) -> None:
    assert limit_of(broken, BOUND_SECONDS) is limit
    found = find_rate(lambda rate: run(0.001) if rate < 777 else broken, BOUND_SECONDS)
    assert found.limit is limit
    assert found.rate is not None
    assert found.rate < 777 <= found.rate * (1 + PRECISION) + 1


def test_a_rate_holds_that_a_late_tool_did_not_spoil() -> None:
    assert limit_of(run(0.0049, lag_seconds=0.003, busy=0.95), BOUND_SECONDS) is None


def test_it_ends_when_somebody_wants_it_to() -> None:
    def probe(rate: float) -> Result:
        return dataclasses.replace(run(0.001), is_interrupted=rate > 300)

    found = find_rate(probe, BOUND_SECONDS)
    assert (found.rate, found.is_confirmed, len(found.trials)) == (200.0, False, 2)


def test_each_run_is_told_of() -> None:
    told: list[Trial] = []
    found = find_rate(mm1, BOUND_SECONDS, tell=told.append)
    assert tuple(told) == found.trials


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=MAX_PROBES, max_size=MAX_PROBES), st.integers(1, 100_000))
def test_whatever_happens_it_ends_and_is_consistent(outcomes: list[bool], start: int) -> None:
    good, bad = run(0.001), run(0.1)
    answers: Iterator[bool] = iter(outcomes)
    found = find_rate(
        lambda _rate: good if next(answers) else bad, BOUND_SECONDS, start_rate=float(start)
    )
    assert len(found.trials) <= MAX_PROBES
    held = [trial.rate for trial in found.trials if trial.limit is None]
    failed = [trial.rate for trial in found.trials if trial.limit is not None]
    if found.rate is not None:
        assert found.rate in held
    if found.failing_rate is not None:
        assert failed.count(found.failing_rate) >= FAIL_VOTES
        assert found.rate is None or found.rate < found.failing_rate
    if found.is_confirmed and found.rate is not None:
        assert held.count(found.rate) > failed.count(found.rate)
        assert held.count(found.rate) >= HOLD_MARGIN
