"""Finds the times in which calls waited and none was answered."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlpserve.bench.result import Stall

BIN_SECONDS = 0.01
"""How finely sendings and answers are counted, and so how exact a stall's begin and end are."""

MIN_SECONDS = 0.1
MAX_STALLS = 5
"""The shortest stall that is kept, and how many are."""


class Timeline:
    """Counts what happens in each hundredth of a second of a run, without an end."""

    def __init__(self) -> None:
        self._counts = np.zeros(1024, np.int64)

    def add(self, nanoseconds: npt.NDArray[np.int64]) -> None:
        """Count things that happened at these times since the start (n,)."""
        if not len(nanoseconds):
            return
        bins = np.maximum(nanoseconds, 0) // round(BIN_SECONDS * 1e9)
        size = int(bins.max()) + 1
        if size > len(self._counts):
            grown = np.zeros(max(size, 2 * len(self._counts)), np.int64)
            grown[: len(self._counts)] = self._counts
            self._counts = grown
        self._counts[:size] += np.bincount(bins, minlength=size)

    def counts(self, size: int) -> npt.NDArray[np.int64]:
        """Return the first `size` counts."""
        counts = np.zeros(size, np.int64)
        known = self._counts[:size]
        counts[: len(known)] = known
        return counts


def find_stalls(sent: Timeline, ended: Timeline, seconds: float) -> Sequence[Stall]:
    """Return the longest stalls of a run in their order, from when its calls were sent and when
    they ended.
    """
    size = int(seconds / BIN_SECONDS) + 1
    n_sent, n_ended = sent.counts(size), ended.counts(size)
    waiting = np.cumsum(n_sent) - np.cumsum(n_ended)
    # A bin in which nothing ended, while something waited from its begin on.
    is_still = (n_ended == 0) & (np.concatenate(([0], waiting[:-1])) > 0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_still, [False]))))
    stalls = [
        Stall(
            float(begin * BIN_SECONDS),
            float(end * BIN_SECONDS),
            int(waiting[end - 1]),
        )
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        if (end - begin) * BIN_SECONDS >= MIN_SECONDS
    ]
    longest = sorted(stalls, key=lambda stall: stall.begin_seconds - stall.end_seconds)
    return sorted(longest[:MAX_STALLS], key=lambda stall: stall.begin_seconds)
