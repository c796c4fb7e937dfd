"""Numbers read well; tests/page/watch holds them against those of the page."""

import math

import pytest

from mlpserve.terminal.numbers import format_bytes, format_count, format_number, format_share


@pytest.mark.parametrize(
    ("share", "text"),
    [
        *((0, "0%"), (1, "100%"), (0.5, "50.0%"), (1.25, "125.0%"), (0.0625, "6.3%")),
        *((0.0043, "0.43%"), (0.99996, "99.996%"), (1e-9, "<0.0001%"), (0.9999999, ">99.9999%")),
        (math.nan, "-"),
    ],
)
def test_shares(share: float, text: str) -> None:
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (950, "950 B"), (134.2e6, "134 MB"), (999.9e6, "1 GB"), (math.nan, "-")],
)
def test_bytes(number: float, text: str) -> None:
    assert format_bytes(number) == text


def test_counts_and_numbers() -> None:
    assert [format_count(count) for count in (0, 1234567, math.nan)] == ["0", "1,234,567", "-"]
    numbers = [format_number(number) for number in (0.97345, 12, 1234.5, math.nan)]
    assert numbers == ["0.973", "12", "1,235", "-"]
