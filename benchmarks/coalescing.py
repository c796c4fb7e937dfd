"""Prints what joined calls bring to tasks and threads: images a second, latency and CPU of calls
for one image, with `coalesce=True` and without, in turns.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from harness.load import (
    cpu_seconds,
    describe_ratios,
    pin_caller,
    print_table,
    repository_option,
    server_command,
    started,
)
from mlpserve import Client, aio

ADDRESS = "127.0.0.1:50071"
TIMEOUT_SECONDS = 60.0

Images = npt.NDArray[np.float32] | npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Measured:
    """What callers got: images a second, the median latency, and the CPU time of callers and server
    for an image, in microseconds.
    """

    images_per_second: float
    latency: float
    caller_cpu: float
    server_cpu: float


def begin_measuring(pid: int) -> Callable[[list[float]], Measured]:
    """Return what measures from now on, given the seconds that each call took."""
    begin, cpu, server_cpu = time.perf_counter(), time.process_time(), cpu_seconds(pid)

    def end(latencies: list[float]) -> Measured:
        n_calls = len(latencies)
        return Measured(
            n_calls / (time.perf_counter() - begin),
            1e6 * statistics.median(latencies),
            1e6 * (time.process_time() - cpu) / n_calls,
            1e6 * (cpu_seconds(pid) - server_cpu) / n_calls,
        )

    return end


def call_from_tasks(
    images: Images, callers: int, seconds: float, coalesce: bool, pid: int
) -> Measured:
    """Call from so many tasks, each with an image of its own."""

    async def run() -> Measured:
        latencies: list[float] = []
        async with aio.Client(
            ADDRESS, timeout_seconds=TIMEOUT_SECONDS, coalesce=coalesce
        ) as client:

            async def call(image: Images, end: float) -> None:
                while (begin := time.perf_counter()) < end:
                    await client.predict(image)
                    latencies.append(time.perf_counter() - begin)

            async def call_all(seconds: float) -> None:
                end = time.perf_counter() + seconds
                await asyncio.gather(*[call(images[number], end) for number in range(callers)])

            await call_all(seconds / 4)
            latencies.clear()
            measure = begin_measuring(pid)
            await call_all(seconds)
            return measure(latencies)

    return asyncio.run(run())


def call_from_threads(
    images: Images, callers: int, seconds: float, coalesce: bool, pid: int
) -> Measured:
    """Call from so many threads, each with an image of its own."""
    latencies: list[float] = []
    with (
        Client(ADDRESS, timeout_seconds=TIMEOUT_SECONDS, coalesce=coalesce) as client,
        ThreadPoolExecutor(callers) as pool,
    ):

        def call(image: Images, end: float) -> None:
            while (begin := time.perf_counter()) < end:
                client.predict(image)
                latencies.append(time.perf_counter() - begin)

        def call_all(seconds: float) -> None:
            end = time.perf_counter() + seconds
            list(pool.map(call, images[:callers], callers * [end]))

        call_all(seconds / 4)
        latencies.clear()
        measure = begin_measuring(pid)
        call_all(seconds)
        return measure(latencies)


CALLERS = {"tasks": call_from_tasks, "threads": call_from_threads}

Load = tuple[str, int, bool]
"""Who calls, how many of them at once, and whether their calls are joined."""


def rows(found: dict[Load, list[Measured]]) -> list[tuple[str, ...]]:
    """Return the rows of the table: medians, and ratios with the least and the largest of a round.

    Two measurements that follow each other meet about the same machine.
    """
    table = []
    for (name, callers, coalesce), measured in found.items():
        figures = [
            statistics.median([getattr(one, figure) for one in measured])
            for figure in ("images_per_second", "latency", "caller_cpu", "server_cpu")
        ]
        ratios: tuple[str, ...] = ("", "")
        if coalesce:
            alone = found[name, callers, False]
            ratios = (
                ratio(measured, alone, "images_per_second"),
                ratio(measured, alone, "latency"),
            )
        table.append(
            (
                name,
                f"{callers}",
                "joined" if coalesce else "alone",
                f"{figures[0]:,.0f}",
                f"{figures[1]:,.0f}",
                *(f"{figure:,.1f}" for figure in figures[2:]),
                *ratios,
            )
        )
    return table


def ratio(measured: list[Measured], others: list[Measured], figure: str) -> str:
    """Return the median of the rounds' ratios, the least and the largest."""
    return describe_ratios(*([getattr(one, figure) for one in each] for each in (measured, others)))


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=2.0, show_default=True, help="Of each measurement.")
@click.option(
    "--callers",
    "numbers",
    multiple=True,
    default=(1, 8, 256),
    show_default=True,
    type=click.IntRange(min=1),
    help="How many call at once; may be repeated.",
)
@click.option("--bytes", "are_bytes", is_flag=True, help="Images as uint8 instead of float32.")
@repository_option
def main(
    rounds: int, seconds: float, numbers: tuple[int, ...], are_bytes: bool, repository: Path
) -> None:
    """Measure one-image calls of a server that is pinned to one core, the callers to another.

    Each caller waits for its answer before it calls again. CPU is user and system time per image,
    of all threads.
    """
    images: Images = np.random.default_rng(1).random((max(numbers), 28, 28), np.float32)
    if are_bytes:
        images = (images * 255).astype(np.uint8)
    found: dict[Load, list[Measured]] = {
        (name, callers, coalesce): []
        for callers in numbers
        for name in CALLERS
        for coalesce in (False, True)
    }
    command = server_command(ADDRESS, "--repository", str(repository.resolve()))
    pin_caller()
    with started(command, ADDRESS) as process:
        turns = [load for _ in range(rounds) for load in found]
        for name, callers, coalesce in track(turns, "measuring", console=Console(stderr=True)):
            measured = CALLERS[name](images, callers, seconds, coalesce, process.pid)
            found[name, callers, coalesce].append(measured)
    headings = ("images/s", "p50 us", "CPU us, caller", "CPU us, server")
    compared = ("images/s, joined / alone", "p50, joined / alone")
    print_table(("callers", "at once", "calls", *headings, *compared), rows(found), 3)


if __name__ == "__main__":
    main()
