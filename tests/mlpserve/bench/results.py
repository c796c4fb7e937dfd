"""Makes the results of runs that never were, from the latencies that their calls should have."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from mlpserve.bench.histogram import MICROSECONDS, WINDOW_DIGITS, new_histogram, record
from mlpserve.bench.result import Plan, Result, Window

Floats = npt.NDArray[np.float64]

PLAN = Plan("localhost:50051", rate=1000.0)


def histogram(seconds: Floats, *digits: int) -> HdrHistogram:
    """Record durations, of any shape."""
    recorded = new_histogram(*digits)
    record(recorded, np.rint(np.ravel(seconds) * MICROSECONDS).astype(np.int64))
    return recorded


def make_result(
    intended: Floats,
    service: Floats | None = None,
    *,
    lag_seconds: float = 50e-6,
    errors: int = 0,
    plan: Plan = PLAN,
    **others: Any,
) -> Result:
    """Make the result of a run of a second for each row of latencies, (seconds, calls)."""
    service = intended if service is None else service
    answered = intended.size
    windows = tuple(
        Window(
            second,
            len(late),
            0,
            len(late),
            0,
            histogram(late, WINDOW_DIGITS),
            histogram(sent, WINDOW_DIGITS),
        )
        for second, (late, sent) in enumerate(zip(intended, service, strict=True))
    )
    codes = {"OK": answered} | ({"UNAVAILABLE": errors} if errors else {})
    made = Result(
        plan=dataclasses.replace(plan, seconds=float(len(intended))),
        started_at=1_800_000_000.0,
        seconds=float(len(intended)),
        sent=answered + errors,
        answered=answered,
        images=answered,
        unsent=0,
        codes=codes,
        messages={"UNAVAILABLE": "connection refused"} if errors else {},
        wrong_labels=None,
        intended=histogram(intended),
        service=histogram(service),
        lag=histogram(np.full(answered + errors, lag_seconds)),
        windows=windows,
    )
    return dataclasses.replace(made, **others)


def lognormal(
    seconds: int = 10, calls: int = 1000, *, median_seconds: float = 500e-6, seed: int = 0
) -> Floats:
    """Draw latencies as servers have them, (seconds, calls)."""
    random = np.random.default_rng(seed)
    return median_seconds * random.lognormal(0, 0.3, (seconds, calls))
