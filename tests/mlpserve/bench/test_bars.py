"""Bars show every call once, in bins of round bounds, in any terminal."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mlpserve.bench.bars import MAX_BINS, choose_bounds, count_bins, draw_bars
from mlpserve.bench.buckets import read_bounds, read_counts
from mlpserve.bench.histogram import MICROSECONDS, decode, encode, new_histogram
from tests.mlpserve.bench.results import histogram

DURATIONS = st.lists(st.integers(0, 3_000_000_000), min_size=1, max_size=50)


@given(DURATIONS)
def test_buckets_are_those_of_the_library(microseconds: list[int]) -> None:
    recorded = histogram(np.array(microseconds) / MICROSECONDS)
    counts, bounds = read_counts(recorded), read_bounds(recorded)
    assert counts.sum() == len(microseconds)
    filled = np.flatnonzero(counts)
    assert [round(bounds[index] * MICROSECONDS) for index in filled] == sorted(
        {recorded.get_lowest_equivalent_value(value) for value in microseconds}
    )
    assert np.all(np.diff(bounds) > 0)


@pytest.mark.parametrize("digits", [2, 3])
def test_an_empty_histogram_has_buckets_too(digits: int) -> None:
    for empty in (new_histogram(digits), decode(encode(new_histogram(digits)))):
        assert not read_counts(empty).any()
        assert len(read_bounds(empty)) == len(read_counts(empty)) + 1


@given(DURATIONS, DURATIONS)
def test_every_call_is_in_a_bin(first: list[int], second: list[int]) -> None:
    both = [histogram(np.array(microseconds) / MICROSECONDS) for microseconds in (first, second)]
    bounds = choose_bounds(both)
    assert 0 < len(bounds) <= MAX_BINS
    assert all(lower < upper for lower, upper in pairwise(bounds))
    for one, microseconds in zip(both, (first, second), strict=True):
        assert sum(count_bins(one, bounds)) == len(microseconds)
    # Neither end is empty.
    ends = [sum(count_bins(one, bounds)[end] for one in both) for end in (0, -1)]
    assert all(ends)


def test_bins_are_as_fine_as_fits() -> None:
    narrow = choose_bounds([histogram(np.array([0.000_35, 0.000_9]))])
    assert narrow == pytest.approx(
        [0.000_36, 0.0004, 0.00045, 0.0005, 0.00056, 0.00063, 0.00071, 0.0008, 0.0009]
    )
    wide = choose_bounds([histogram(np.array([0.000_35, 2.0]))])
    assert wide[:3] == pytest.approx([0.0004, 0.00063, 0.001])
    assert wide[-1] == pytest.approx(2.5)


def draw(encoding: str, *seconds: float) -> list[str]:
    console = Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding), width=100, force_terminal=False
    )
    with console.capture() as capture:
        console.print(draw_bars({"from sent": histogram(np.array(seconds))}, width=10))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_what_is_not_zero_can_be_seen() -> None:
    lines = draw("utf-8", *[0.001] * 1000, 0.002)
    assert "██████████ " in lines[1]
    assert "▏" in lines[-1]


def test_a_terminal_without_unicode_gets_numbers_signs() -> None:
    lines = draw("ascii", *[0.001] * 100, 0.002)
    assert "########## " in lines[1]
    assert "#" in lines[-1]
    "\n".join(lines).encode("ascii")


def test_of_nothing_there_are_no_bins() -> None:
    assert choose_bounds([new_histogram()]) == []
    assert len(draw("utf-8")) == 1
