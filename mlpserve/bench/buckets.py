"""An HdrHistogram's buckets as NumPy arrays."""

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from mlpserve.bench.histogram import MICROSECONDS


def read_counts(histogram: HdrHistogram) -> npt.NDArray[np.int64]:
    """Return how many durations are in each bucket, (n,) from the shortest."""
    counts = np.zeros(histogram.counts_len, np.int64)
    # That of an empty one which was decoded has no buckets.
    kept = np.frombuffer(histogram.counts, np.uint64) if len(histogram.counts) else counts[:0]
    counts[: len(kept)] = kept
    return counts


def read_bounds(histogram: HdrHistogram) -> npt.NDArray[np.float64]:
    """Return where the buckets begin, in seconds, and where the last one ends: (n + 1,)."""
    index = np.arange(histogram.counts_len + 1)
    half = histogram.sub_bucket_half_count
    octave = (index >> histogram.sub_bucket_half_count_magnitude) - 1
    # The first octave has twice as many buckets, since its lower half begins at 0.
    lower = (index & (half - 1)) + np.where(octave < 0, 0, half)
    bounds: npt.NDArray[np.int64] = lower << np.maximum(octave, 0)
    return bounds.astype(np.float64) / MICROSECONDS
