"""Makes a plan of what the options of mlpserve bench say."""

import math
import os
import re

import click

MAX_BATCH = 100_000
MAX_SIZES = 1024
"""The most images of a call, and the most sizes that calls may have."""

RATE_PER_PROCESS = 2_500.0
CALLERS_PER_PROCESS = 32
"""What one process is given before a second one is started, where there is a core for it: about a
third of what it sends when nothing else keeps its core busy.
"""

_PART = re.compile(r"(\d+)(?:-(\d+))?(?::(\d+(?:\.\d*)?|\.\d+))?")


def check_number(
    _context: click.Context, _parameter: click.Parameter, number: float | None
) -> float | None:
    """Return the number unless it is nan, which lies in every range."""
    if number is not None and math.isnan(number):
        raise click.BadParameter("nan is not in the range: it is not a number")
    return number


def parse_batch(
    _context: click.Context, _parameter: click.Parameter, text: str
) -> tuple[tuple[int, float], ...]:
    """Return the images of a call and their weights, from 8, 1-64 or 1:0.9,64:0.1."""
    weights: dict[int, float] = {}
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise click.BadParameter(
                f"{part.strip()!r:.40} is not a number of images; give one such as 8, a range "
                "such as 1-64, or several with their weights such as 1:0.9,64:0.1"
            )
        first = _check_size(match[1])
        last = first if match[2] is None else _check_size(match[2])
        weight = 1.0 if match[3] is None else float(match[3])
        if last < first or not 0 < weight < math.inf:
            raise click.BadParameter(
                f"{part.strip()!r:.40} is empty; give a range that ascends and a weight above 0"
            )
        for size in range(first, last + 1):
            weights[size] = weights.get(size, 0.0) + weight / (last - first + 1)
    if len(weights) > MAX_SIZES:
        raise click.BadParameter(f"it has {len(weights)} sizes; give up to {MAX_SIZES}")
    return tuple(sorted(weights.items()))


def _check_size(digits: str) -> int:
    size = int(digits) if len(digits) <= len(str(MAX_BATCH)) else MAX_BATCH + 1
    if not 1 <= size <= MAX_BATCH:
        raise click.BadParameter(f"{digits:.20} images; give from 1 to {MAX_BATCH}")
    return size


def choose_processes(rate: float | None, concurrency: int | None) -> int:
    """Return how many processes are to send so much: one, or more up to as many as cores."""
    wanted = (concurrency or 1) / CALLERS_PER_PROCESS if rate is None else rate / RATE_PER_PROCESS
    return max(1, min(math.ceil(wanted), count_cores()))


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def metrics_address(address: str) -> str | None:
    """Return where the metrics of a server at a gRPC address are by default; None for a socket."""
    if address.startswith(("unix:", "unix-abstract:", "vsock:")):
        return None
    host = address.rpartition("/")[2].rpartition(":")[0]
    return f"{host or 'localhost'}:8080"
