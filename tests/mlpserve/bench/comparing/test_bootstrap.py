"""Intervals cover what they say they cover, also when neighbouring seconds are alike."""

import numpy as np
import pytest
from scipy import stats

from mlpserve.bench.comparing.bootstrap import (
    N_RESAMPLES,
    Floats,
    block_length,
    ratio_interval,
    resample,
    student_quantile,
)


@pytest.mark.parametrize("degrees", [4, 4.67, 8, 30, 1000])
@pytest.mark.parametrize("share", [0.975, 0.995, 0.025])
def test_student_s_quantiles(share: float, degrees: float) -> None:
    assert student_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), rel=0.02)


def test_blocks_are_seconds_that_follow_each_other_in_a_circle() -> None:
    n_rows = 9
    means = resample(np.eye(n_rows), lambda rows: rows, np.random.default_rng(0))
    assert means.shape == (N_RESAMPLES, n_rows)
    counts = np.rint(means * n_rows).astype(int)
    assert (counts.sum(1) == n_rows).all()
    # Each row is drawn equally often, at the ends as well.
    assert counts.mean(0) == pytest.approx(np.ones(n_rows), abs=0.1)
    # A resample of one block three times has three rows, the same number of times each.
    thrice = counts[(counts == 3).sum(1) == 3]
    assert len(thrice)
    for row in thrice:
        ends = np.flatnonzero(row)
        assert {tuple(np.diff(ends))} <= {(1, 1), (1, 7), (7, 1)}
    assert block_length(n_rows) == 3


def alike(random: np.random.Generator, n_rows: int, memory: float) -> Floats:
    """Draw a level for each second, which remembers so much of the one before."""
    noise = random.normal(0, 0.1, n_rows)
    levels = np.empty(n_rows)
    levels[0] = noise[0] / np.sqrt(1 - memory**2)
    for second in range(1, n_rows):
        levels[second] = memory * levels[second - 1] + noise[second]
    return 1 + levels[:, np.newaxis]


@pytest.mark.parametrize(
    ("n_rows", "memory", "at_most"), [(10, 0.0, 0.08), (30, 0.0, 0.08), (60, 0.5, 0.12)]
)
def test_equal_runs_are_rarely_told_apart(n_rows: int, memory: float, at_most: float) -> None:
    random = np.random.default_rng(1)
    missed, n_pairs = 0, 100
    for _ in range(n_pairs):
        a, b = (alike(random, n_rows, memory) for _ in range(2))
        drawn = [resample(rows, lambda means: means, random)[:, 0] for rows in (a, b)]
        low, high = ratio_interval(drawn[0], drawn[1], n_rows)
        missed += not low <= 1 <= high
    assert missed / n_pairs <= at_most
