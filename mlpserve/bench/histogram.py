"""HdrHistograms of durations, in whole microseconds with three significant digits."""

from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

MICROSECONDS = 1_000_000
"""Units of every histogram in a second."""

MAX_SECONDS = 3600
"""The longest duration that is told apart; longer ones count as this long."""

DIGITS = 3
WINDOW_DIGITS = 2
"""Significant digits of a whole run and of one second of it, of which there may be thousands."""

QUANTILES = (0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1.0)
"""What readers without HdrHistogram get to see."""


def new_histogram(digits: int = DIGITS) -> HdrHistogram:
    """Return an empty histogram of microseconds."""
    return HdrHistogram(1, MAX_SECONDS * MICROSECONDS, digits)


def record(histogram: HdrHistogram, microseconds: npt.NDArray[np.int64]) -> None:
    """Add durations (n,) to a histogram; those below 0 count as 0."""
    clipped = np.clip(microseconds, 0, MAX_SECONDS * MICROSECONDS)
    for value, count in zip(*np.unique(clipped, return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))


def quantile_seconds(histogram: HdrHistogram, quantile: float) -> float | None:
    """Return the duration in seconds that a share of `quantile` in [0, 1] does not exceed; None of
    an empty histogram.
    """
    if not histogram.get_total_count():
        return None
    return int(histogram.get_value_at_percentile(100 * quantile)) / MICROSECONDS


def describe(histogram: HdrHistogram) -> dict[str, Any]:
    """Return a histogram for JSON: encoded as HdrHistogram V2, with plain quantiles in seconds."""
    return {
        "count": histogram.get_total_count(),
        "mean_seconds": histogram.get_mean_value() / MICROSECONDS,
        "quantiles_seconds": {str(q): quantile_seconds(histogram, q) for q in QUANTILES},
        "hdrhistogram_microseconds": encode(histogram),
    }


def encode(histogram: HdrHistogram) -> str:
    """Return a histogram as text: compressed HdrHistogram V2 in base64."""
    return bytes(histogram.encode()).decode("ascii")


def decode(text: str) -> HdrHistogram:
    """Return the histogram of a text; raises ValueError when it is none."""
    try:
        return HdrHistogram.decode(text.encode("ascii"))
    except Exception as error:
        raise ValueError(f"not an encoded HdrHistogram: {text:.40}") from error
