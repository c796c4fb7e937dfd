"""The rule that compares canary and stable hardly takes chance for a fault, and finds faults."""

import re

import numpy as np
import numpy.typing as npt
import pytest

from tests.deploy import rules

N_PAIRS = 500_000
TRAFFIC = [(1_000, 19_000), (10_000, 10_000), (20_000, 380_000)]
"""Predictions of the canary and of stable in half an hour."""

Counts = npt.NDArray[np.int64]


def worse(bad_canary: Counts, canary: int, bad_stable: Counts, stable: int) -> int:
    """Return in how many pairs the rule calls the canary worse, by its own bounds."""
    (rule,) = (r for r in rules.read_rules() if r.record.startswith("canary:worse_predictions"))
    (factor,) = re.findall(r"([\d.]+) \* version_label", rule.expression)
    (least_g,) = re.findall(r"g30m > ([\d.]+)", rule.expression)
    (least_bad,) = re.findall(r">= ([\d.]+)", rule.expression)
    every = canary + stable
    share = (bad_canary + bad_stable) / every
    g = 2 * sum(
        observed * np.log(np.maximum(observed, 1e-9) / np.maximum(expected, 1e-9))
        for observed, expected in (
            (bad_canary, canary * share),
            (canary - bad_canary, canary * (1 - share)),
            (bad_stable, stable * share),
            (stable - bad_stable, stable * (1 - share)),
        )
    )
    is_worse = bad_canary / canary > float(factor) * bad_stable / stable
    return int(np.sum(is_worse & (g > float(least_g)) & (bad_canary >= float(least_bad))))


def draw(canary: int, stable: int, bad: float, good: float) -> tuple[Counts, int, Counts, int]:
    """Return how many are bad of each pair's predictions, when these shares are to be expected."""
    random = np.random.default_rng(canary)
    bad_canary, bad_stable = (
        random.binomial(predictions, share, N_PAIRS)
        for predictions, share in ((canary, bad), (stable, good))
    )
    return bad_canary, canary, bad_stable, stable


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.05])
@pytest.mark.parametrize(("canary", "stable"), TRAFFIC)
def test_equal_versions_are_hardly_ever_told_apart(canary: int, stable: int, share: float) -> None:
    # By theory two.
    assert worse(*draw(canary, stable, share, share)) <= 5


@pytest.mark.parametrize(
    ("canary", "stable", "bad"),
    [(1_000, 19_000, 0.04), (5_000, 95_000, 0.02), (20_000, 380_000, 0.016)],
)
def test_worse_versions_are_found(canary: int, stable: int, bad: float) -> None:
    assert worse(*draw(canary, stable, bad, 0.01)) > 0.8 * N_PAIRS
