"""When the calls of an open loop should be sent."""

import math
from collections.abc import Iterator

import numpy as np

from mlpserve.bench.result import Arrivals, Plan

NANOSECONDS = 1_000_000_000
_BLOCK = 4096


def arrivals(plan: Plan, process: int, seconds: float) -> Iterator[int]:
    """Yield when the calls of one of the plan's processes should be sent, in nanoseconds from the
    start, as long as that is before `seconds`.

    All processes together send `plan.rate` calls a second: constant arrivals are dealt in turn, and
    Poisson arrivals of each process are so of all together.
    """
    if plan.rate is None:
        raise ValueError("rate is None; a closed loop has no arrivals")
    if plan.arrivals is Arrivals.CONSTANT:
        yield from _constant(plan.rate, process, plan.processes, seconds)
    else:
        random = np.random.default_rng((plan.seed, process))
        yield from _poisson(plan.rate / plan.processes, random, seconds)


def _constant(rate: float, process: int, processes: int, seconds: float) -> Iterator[int]:
    count = math.ceil(rate * seconds)
    for first in range(process, count, processes * _BLOCK):
        calls = np.arange(first, min(count, first + processes * _BLOCK), processes)
        yield from np.rint(calls * (NANOSECONDS / rate)).astype(np.int64).tolist()


def _poisson(rate: float, random: np.random.Generator, seconds: float) -> Iterator[int]:
    begin, end = 0.0, seconds * NANOSECONDS
    while True:
        times = begin + np.cumsum(random.exponential(NANOSECONDS / rate, _BLOCK))
        yield from times[times < end].astype(np.int64).tolist()
        if times[-1] >= end:
            return
        begin = float(times[-1])
