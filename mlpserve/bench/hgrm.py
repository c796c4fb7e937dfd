"""HdrHistogram's table of percentiles (.hgrm), as its plotters read it.

The library's own table has other steps than HdrHistogram's Java original, without 50% and 90%, a
deviation in other units, and a last line that hdr-plot does not find.
"""

import math
from collections.abc import Iterator

from hdrh.histogram import HdrHistogram

from mlpserve.bench.histogram import MICROSECONDS

STEPS_PER_HALF = 5
"""Lines for each halving of the distance to 100%."""

_PER_MILLISECOND = MICROSECONDS / 1000


def format_hgrm(histogram: HdrHistogram) -> str:
    """Return the table of a histogram of microseconds, in milliseconds."""
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for microseconds, share, count in _percentiles(histogram):
        # The line of 100% has no fourth column: plotters leave it out, or would divide by 0.
        odds = f" {1 / (1 - share):14.2f}" if share < 1 else ""
        lines.append(f"{microseconds / _PER_MILLISECOND:12.3f} {share:14.12f} {count:10d}{odds}")
    mean, deviation, longest = (
        value / _PER_MILLISECOND
        for value in (
            histogram.get_mean_value(),
            histogram.get_stddev(),
            histogram.get_max_value(),
        )
    )
    count = histogram.get_total_count()
    lines += [
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]",
        f"#[Max     = {longest:12.3f}, Total count    = {count:12d}]",
        f"#[Buckets = {histogram.bucket_count:12d}, SubBuckets     = "
        f"{histogram.sub_bucket_count:12d}]",
    ]
    return "\n".join(lines) + "\n"


def _percentiles(histogram: HdrHistogram) -> Iterator[tuple[int, float, int]]:
    """Yield the value in microseconds, the share of calls and their count of each line."""
    # In percent as in the original, since sums of 0.1 are not exact and those of 10 are.
    total, percent, microseconds = histogram.get_total_count(), 0.0, 0
    for bucket in histogram.get_recorded_iterator():
        microseconds, count = bucket.value_iterated_to, bucket.total_count_to_this_value
        while 100 * count / total >= percent:
            yield microseconds, percent / 100, count
            if count == total:
                break
            halvings = int(math.log2(100 / (100 - percent))) + 1
            percent += 100 / (STEPS_PER_HALF * 2**halvings)
    if total:
        yield microseconds, 1.0, total
