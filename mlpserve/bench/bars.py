"""Counts durations in bins of equal ratio, and draws them as bars."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from hdrh.histogram import HdrHistogram
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table

from mlpserve.bench.buckets import read_bounds, read_counts
from mlpserve.bench.histogram import MICROSECONDS
from mlpserve.terminal.durations import format_duration

MAX_BINS = 24

_STEPS = (
    (10, 11, 12, 14, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 71, 80, 90),
    (10, 12, 16, 20, 25, 32, 40, 50, 63, 80),
    (10, 16, 25, 40, 63),
    (10, 20, 50),
    (10,),
)
"""Where bins end in each decade, in tenths, from fine to coarse: Renard's preferred numbers."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar that fills a `share` in [0, 1] of its `width`; what is not 0 can be seen."""

    share: float
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.ascii_only:
            yield Segment("#" * math.ceil(self.share * self.width))
            return
        eighths = math.ceil(self.share * self.width * 8)
        yield Segment("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip())


def draw_bars(histograms: dict[str, HdrHistogram], width: int = 20) -> Table:
    """Return a table of durations with a row for each bin and two columns for each histogram,
    called as it is: a bar of at most `width` characters, and the count.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("up to", justify="right", no_wrap=True)
    for name in histograms:
        table.add_column(name, width=width, no_wrap=True)
        table.add_column("calls", justify="right", no_wrap=True)
    bounds = choose_bounds(list(histograms.values()))
    counts = [count_bins(histogram, bounds) for histogram in histograms.values()]
    most = [max(column, default=0) for column in counts]
    for row, bound in enumerate(bounds):
        cells: list[Bar | str] = []
        for column, largest in zip(counts, most, strict=True):
            cells += [Bar(column[row] / largest if largest else 0.0, width), f"{column[row]:,}"]
        table.add_row(format_duration(bound), *cells)
    return table


def choose_bounds(histograms: Sequence[HdrHistogram]) -> list[float]:
    """Return the upper ends in seconds of at most `MAX_BINS` bins that hold all that is recorded;
    none of empty histograms.
    """
    recorded = [histogram for histogram in histograms if histogram.get_total_count()]
    if not recorded:
        return []
    # A duration of 0 lies in the first bin.
    least = max(1, min(histogram.get_min_value() for histogram in recorded))
    longest = max(recorded, key=lambda histogram: histogram.get_max_value())
    most = longest.get_lowest_equivalent_value(longest.get_max_value())
    scales = (list(_bounds(steps, least, most)) for steps in _STEPS)
    fine = next(bounds for bounds in scales if len(bounds) <= MAX_BINS)
    return [bound / MICROSECONDS for bound in fine]


def count_bins(histogram: HdrHistogram, bounds: Sequence[float]) -> list[int]:
    """Return how many durations lie in each bin; a bucket of the histogram lies where it begins."""
    counts = read_counts(histogram)
    filled = np.flatnonzero(counts)
    bins = np.searchsorted(bounds, read_bounds(histogram)[filled])
    return [int(counts[filled[bins == row]].sum()) for row in range(len(bounds))]


def _bounds(steps: Sequence[int], least: int, most: int) -> Iterator[float]:
    """Yield the bounds from the first that is not below `least` to the first not below `most`."""
    decade = 10 ** (len(str(least)) - 1)
    while True:
        for step in steps:
            bound = step * decade / 10
            if bound >= least:
                yield bound
            if bound >= most:
                return
        decade *= 10
