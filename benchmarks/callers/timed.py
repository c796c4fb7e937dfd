"""Times calls in this process, as another one tells it over the standard input.

It imports nothing of the repository, so that callers in other environments can use it.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

PIXELS = 784
KINDS = ("floats", "bytes")
SIZES = (1, 1_000)

Repeat = Callable[[int], object]
"""Makes so many calls, one after the other."""


class Case(NamedTuple):
    """Who calls, with how many images, of which kind."""

    caller: str
    images: int
    kind: str


def inputs() -> Iterator[tuple[int, str, npt.NDArray[Any]]]:
    """Return for each size and kind the images (N, 784)."""
    random = np.random.default_rng(0)
    for size in SIZES:
        yield size, "floats", random.random((size, PIXELS), np.float32)
        yield size, "bytes", random.integers(0, 256, (size, PIXELS), np.uint8)


def repeat(call: Callable[[], object]) -> Repeat:
    """Return what makes so many of these calls."""

    def calls(count: int) -> None:
        for _ in range(count):
            call()

    return calls


def serve(cases: dict[Case, Repeat]) -> None:
    """For each line `[[CALLER, IMAGES, KIND], CALLS]` make the calls, and answer with the seconds
    of processor time, of all threads, and of time that they took.
    """
    for line in sys.stdin:
        case, count = json.loads(line)
        calls = cases[Case(*case)]
        # Another process has had the core until now, and the first calls would pay for that.
        calls(1 + count // 5)
        cpu, wall = time.process_time(), time.perf_counter()
        calls(count)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(json.dumps([cpu, wall]), flush=True)
