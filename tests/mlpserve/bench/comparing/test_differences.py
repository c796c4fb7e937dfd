"""Real shifts are found, equal runs are rarely told apart, and what can't be compared is said."""

import dataclasses

import numpy as np
import pytest

from mlpserve.bench.comparing.differences import (
    MIN_SECONDS,
    RATE,
    Difference,
    TooShort,
    compare,
    describe_doubts,
)
from mlpserve.bench.encoding import from_json, to_json
from mlpserve.bench.histogram import quantile_seconds
from mlpserve.bench.result import Plan, Protocol
from tests.mlpserve.bench.results import PLAN, Floats, lognormal, make_result

A = make_result(lognormal(20, 1000, seed=1))
B = make_result(lognormal(20, 1000, seed=2) * 1.3)


def by_name(differences: tuple[Difference, ...]) -> dict[str, Difference]:
    return {difference.name: difference for difference in differences}


def swinging(seed: int) -> Floats:
    """Latencies of a server that is slower or faster in each second, as its machine lets it."""
    random = np.random.default_rng(seed)
    return lognormal(20, 300, seed=seed) * random.lognormal(0, 0.1, (20, 1))


def test_a_real_shift_is_found() -> None:
    found = by_name(compare(A, B))
    assert list(found) == [RATE, "p50", "p90", "p99", "p99.9"]
    for name in ("p50", "p90", "p99"):
        difference = found[name]
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low < 1.3 < difference.high
    assert all(found[name].is_beyond_chance for name in ("p50", "p90", "p99", "p99.9"))
    assert not found[RATE].is_beyond_chance
    assert found["p50"].ratio == pytest.approx(1.3, rel=0.02)


def test_the_figures_are_those_of_the_report() -> None:
    found = by_name(compare(A, B))
    for name, quantile in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        seconds = quantile_seconds(A.intended, quantile)
        assert seconds is not None
        # A window's histogram has two digits.
        assert found[name].a == pytest.approx(seconds, rel=0.01)
    assert found[RATE].a == 1000


def test_equal_servers_are_rarely_told_apart() -> None:
    pairs = [(make_result(swinging(2 * i)), make_result(swinging(2 * i + 1))) for i in range(20)]
    beyond = [
        difference.name
        for a, b in pairs
        for difference in compare(a, b)
        if difference.is_beyond_chance
    ]
    # Of 100 figures.
    assert len(beyond) <= 8


def test_a_plain_bootstrap_over_calls_would_tell_them_apart() -> None:
    """So the blocks are what makes the difference above."""
    apart = 0
    for i in range(20):
        medians = [np.median(swinging(seed)) for seed in (2 * i, 2 * i + 1)]
        # The standard error of a median of 6,000 independent calls with a deviation of 0.3.
        apart += (
            abs(np.log(medians[1] / medians[0])) > 1.96 * np.sqrt(2) * 1.2533 * 0.32 / 6000**0.5
        )
    assert apart > 10


def test_it_is_the_same_each_time_and_after_a_file() -> None:
    first = compare(A, B)
    assert compare(A, B) == first
    assert compare(from_json(to_json(A)), from_json(to_json(B))) == first
    assert compare(A, B, seed=1) != first


def test_a_result_is_no_different_from_itself() -> None:
    for difference in compare(A, A):
        assert difference.ratio == 1
        assert not difference.is_beyond_chance


def test_a_stall_is_one_event_however_many_calls_it_meets() -> None:
    stalled = lognormal(20, 1000, seed=3)
    stalled[10:12] = 2 - np.arange(2000).reshape(2, 1000) / 1000
    p99 = by_name(compare(A, make_result(stalled)))["p99"]
    assert p99.ratio > 1000
    assert not p99.is_beyond_chance


@pytest.mark.parametrize("seconds", [0, 1, MIN_SECONDS - 1])
def test_too_few_seconds_are_refused(seconds: int) -> None:
    short = make_result(lognormal(seconds, 100)) if seconds else make_result(np.empty((0, 0)))
    with pytest.raises(TooShort, match=f"B has {seconds} whole seconds, and it takes 10"):
        compare(A, short)
    with pytest.raises(TooShort, match=f"A has {seconds} whole seconds"):
        compare(short, A)


def test_seconds_that_are_not_whole_are_left_out() -> None:
    half = dataclasses.replace(A, seconds=9.9, is_interrupted=True)
    with pytest.raises(TooShort, match="A has 9 whole seconds"):
        compare(half, B)
    # After the last call was due, the answers to the others still came.
    longer = dataclasses.replace(A, plan=dataclasses.replace(A.plan, seconds=19.5))
    assert by_name(compare(longer, B))[RATE].a == 1000
    # The last call was due, and answered, a little before the end.
    ten = dataclasses.replace(A.plan, seconds=10.0)
    early = dataclasses.replace(A, seconds=9.999, windows=A.windows[:10], plan=ten)
    assert by_name(compare(early, B))[RATE].a == 1000


def test_no_answers_are_refused() -> None:
    with pytest.raises(TooShort, match="B has no call that was answered OK"):
        compare(A, make_result(np.empty((20, 0))))


def test_a_quantile_of_few_calls_has_no_interval() -> None:
    found = by_name(compare(A, make_result(lognormal(20, 40))))
    assert [name for name, difference in found.items() if difference.low is None] == [
        "p99",
        "p99.9",
    ]
    assert not found["p99"].is_beyond_chance


def test_long_runs_are_compared_too() -> None:
    a, b = (make_result(lognormal(700, 20, seed=seed)) for seed in (1, 2))
    found = by_name(compare(a, b))
    assert found[RATE].a == 20
    assert not found["p50"].is_beyond_chance


def test_what_is_less_than_a_histogram_can_tell_is_no_difference() -> None:
    assert not Difference("p50", 1.0, 1.009, 1.008, 1.010).is_beyond_chance
    assert Difference("p50", 1.0, 1.011, 1.008, 1.014).is_beyond_chance
    assert Difference("p50", 1.0, 0.9, 0.8, 0.95).is_beyond_chance
    assert not Difference("p50", 1.0, 0.9, 0.8, 1.05).is_beyond_chance


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": 2000.0}, "rate 1000.0 in A, 2000.0 in B"),
        ({"rate": None, "concurrency": 8}, "rate 1000.0 in A, none in B; concurrency none in A, 8"),
        ({"protocol": Protocol.INFER}, "protocol predict in A, infer in B"),
        ({"batch": ((1, 9.0), (64, 1.0))}, "batch 1:1 in A, 1:9 64:1 in B"),
        ({"processes": 2}, "processes 1 in A, 2 in B"),
        ({"version": 2}, "version none in A, 2 in B"),
    ],
)
def test_plans_that_differ(change: dict[str, object], words: str) -> None:
    plan: Plan = dataclasses.replace(PLAN, **change)  # type: ignore[arg-type]
    (doubt,) = describe_doubts(A, dataclasses.replace(B, plan=plan))
    assert doubt.startswith("The plans differ, which may explain everything: ")
    assert words in doubt


def test_where_and_how_long_they_ran_may_differ() -> None:
    plan = dataclasses.replace(PLAN, address="other:1", seconds=60.0, seed=7)
    assert not list(describe_doubts(A, dataclasses.replace(B, plan=plan)))


def test_results_that_are_doubtful_themselves() -> None:
    late = make_result(lognormal(), lag_seconds=0.02)
    failed = make_result(lognormal(), errors=3, unsent=4)
    assert list(describe_doubts(late, failed)) == [
        "In A the tool was the limit, so that its figures are not the server's.",
        "In B 7 calls were not answered OK; no latency contains them.",
    ]
