"""The table of percentiles is that of HdrHistogram in Java, and its plotters read it."""

import re
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from mlpserve.bench.hgrm import format_hgrm
from mlpserve.bench.histogram import new_histogram, quantile_seconds, record

JAVA = Path(__file__).parent / "expected.hgrm"
"""What HdrHistogram 2.2.2 in Java writes by outputPercentileDistribution(out, 5, 1000.0)."""

# As hdr-plot 0.6.2 finds them.
HDR_PLOT_LINE = re.compile(r"\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)")
HDR_PLOT_MEAN = re.compile(
    r"#\[Mean(?:\s+)=(?:\s+)([0-9.]+),(?:\s+)StdDeviation(?:\s+)=(?:\s+)([0-9.]+)"
)
HDR_PLOT_MAX = re.compile(
    r"#\[Max(?:\s+)=(?:\s+)([0-9.]+),(?:\s+)Total count(?:\s+)=(?:\s+)([0-9.]+)"
)


def squares() -> HdrHistogram:
    """What the Java program has recorded."""
    histogram = new_histogram()
    record(histogram, 50 + np.arange(1000) ** 2)
    return histogram


def test_it_is_the_table_of_the_original() -> None:
    assert format_hgrm(squares()) == JAVA.read_text()


def test_hdr_plot_reads_it() -> None:
    lines = format_hgrm(squares()).splitlines()
    rows = [match.groups() for line in lines if (match := HDR_PLOT_LINE.match(line))]
    assert {"0.500000000000", "0.900000000000"} < {row[1] for row in rows}
    assert all(row[2].isdecimal() for row in rows)
    assert len([line for line in lines if HDR_PLOT_MEAN.match(line)]) == 1
    counts = [match[2] for line in lines if (match := HDR_PLOT_MAX.match(line))]
    assert counts == ["1000"]


def test_the_plotter_of_hdrhistogram_reads_it() -> None:
    lines = [line.split() for line in format_hgrm(squares()).splitlines()]
    # GoogleChartsExample/plotFiles.html takes the lines of four numbers.
    points = [(float(words[3]), float(words[0])) for words in lines[1:] if len(words) == 4]
    assert points == sorted(points)
    assert points[0] == (1.0, 0.05)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_it_agrees_with_the_quantiles_that_are_shown(share: float) -> None:
    histogram = squares()
    line = next(line for line in format_hgrm(histogram).splitlines() if f" {share:.12f}" in line)
    seconds = quantile_seconds(histogram, share)
    assert seconds is not None
    assert float(line.split()[0]) == pytest.approx(1000 * seconds)


def test_of_no_calls_there_is_no_line() -> None:
    text = format_hgrm(new_histogram())
    assert [line for line in text.splitlines()[1:] if line[:1] != "#"] == [""]
    assert "Total count    =            0]" in text


def test_of_one_call_there_are_the_first_and_the_last_line() -> None:
    histogram = new_histogram()
    record(histogram, np.array([7000]))
    assert [line.split() for line in format_hgrm(histogram).splitlines()[2:4]] == [
        ["7.003", "0.000000000000", "1", "1.00"],
        ["7.003", "1.000000000000", "1"],
    ]
