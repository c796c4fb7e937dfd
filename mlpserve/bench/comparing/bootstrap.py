"""How far a figure of two runs may differ by chance: the block bootstrap.

Calls that follow each other are alike: they meet the same pause, or the same busy neighbour. A
plain bootstrap over calls would take them for independent and call nearly everything a difference.
So the seconds of a run are resampled instead, in blocks of seconds that follow each other, in a
circle: D. N. Politis and J. P. Romano, "A circular block-resampling procedure for stationary data",
1992. Percentile intervals of few blocks are too narrow, so they are expanded: T. C. Hesterberg,
"What Teachers Should Know About the Bootstrap", arXiv:1411.5279.
"""

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
N_RESAMPLES = 4000
MAX_ROWS = 300
"""Longer runs are resampled in rows of several seconds."""

_CHUNK = 500


def block_length(n_rows: int) -> int:
    """Return how many rows make a block.

    The square root is more than the n^(1/3) that is best for short memories: a server's good and
    bad times may last, and blocks that are too short make intervals too narrow.
    """
    return max(1, round(math.sqrt(n_rows)))


def resample(
    rows: Floats, statistics: Callable[[Floats], Floats], random: np.random.Generator
) -> Floats:
    """Return the statistics of resampled runs, (N_RESAMPLES, n_statistics).

    `rows` (n, k) has what was counted in each second, or several; `statistics` makes of sums of
    rows (m, k), divided by the number of rows, as many figures each (m, n_statistics).
    """
    return np.concatenate(
        [statistics(weights @ rows) for weights in _weights(len(rows), random)], axis=0
    )


def ratio_interval(a: Floats, b: Floats, n_rows: int) -> tuple[float, float]:
    """Return between which bounds b / a lies, from resampled figures (N_RESAMPLES,) of both.

    `n_rows` are those of the shorter run.
    """
    blocks = n_rows / block_length(n_rows)
    degrees = 2 * (blocks - 1)
    quantile = student_quantile((1 + CONFIDENCE) / 2, degrees) * math.sqrt(blocks / (blocks - 1))
    tail = NormalDist().cdf(-quantile)
    ratios = b / a
    low, high = np.quantile(ratios[np.isfinite(ratios)], [tail, 1 - tail])
    return float(low), float(high)


def student_quantile(share: float, degrees: float) -> float:
    """Return a quantile of Student's t distribution, from 4 degrees of freedom on.

    M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = NormalDist().inv_cdf(share)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )


def _weights(n_rows: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row is in each resampled run, as a share: (up to _CHUNK, n_rows)."""
    length = block_length(n_rows)
    n_blocks = math.ceil(n_rows / length)
    for first in range(0, N_RESAMPLES, _CHUNK):
        size = min(_CHUNK, N_RESAMPLES - first)
        starts = random.integers(0, n_rows, (size, n_blocks, 1))
        chosen = ((starts + np.arange(length)) % n_rows).reshape(size, -1)[:, :n_rows]
        flat = chosen + n_rows * np.arange(size)[:, np.newaxis]
        counts = np.bincount(flat.ravel(), minlength=size * n_rows)
        yield counts.reshape(size, n_rows) / n_rows
