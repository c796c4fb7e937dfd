"""Counts and rates read well."""

import pytest

from mlpserve.terminal.tables import format_counts, format_rate


def test_counts_the_most_first() -> None:
    assert format_counts({"A": 1, "B": 20, "C": 0}) == "B 20   A 1"
    assert format_counts({"A": 0}) == "none"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1_000_000.0, "1,000,000"), (999.96, "1,000"), (12.34, "12.3"), (0.0, "0")],
)
def test_rates(rate: float, text: str) -> None:
    assert format_rate(rate) == text
