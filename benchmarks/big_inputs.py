"""Prints how many images a second one caller gets answered of more than fit into one call, by the
size of parts and how many are in flight; over a stream; and how much memory it takes.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from harness.load import (
    memory_mib,
    pin_caller,
    print_table,
    repository_option,
    server_command,
    started,
)
from mlpserve import Client, aio
from mlpserve.parts import threads
from mlpserve.parts.cutting import Limits
from mlpserve.parts.steps import Asked

ADDRESS = "127.0.0.1:50087"
KIB = 1024
PART_KIB = (256, 512, 1024, 2048, 4096)
AHEAD = (1, 2, 4, 8)
ROUNDS = 5

Run = Callable[[], int]
"""Has images answered, and returns how many."""


def in_parts(client: Client, images: npt.NDArray[Any], kib: int, ahead: int) -> int:
    """Have images answered in parts of a size, so many of them in flight."""
    limits = Limits(part_bytes=kib * KIB, parts_ahead=ahead, bytes_ahead=1 << 30)
    parts = threads.predict_parts(client._caller, images, Asked(), limits=limits)
    return sum(map(len, parts))


def one_after_the_other(client: Client, images: npt.NDArray[Any]) -> int:
    """Have images answered by calls of 1,000."""
    begins = range(0, len(images), 1000)
    return sum(len(client.predict(images[begin : begin + 1000])) for begin in begins)


def rates(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Return the images a second of each, the median of rounds in which each has its turn."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            n_images = run()
            # The first round makes connections.
            if number:
                found[name].append(n_images / (time.perf_counter() - begin))
    return {name: statistics.median(figures) for name, figures in found.items()}


def count(client: Client, items: Any) -> int:
    """Have the items of a stream answered."""
    return sum(len(answer.prediction) for answer in client.predict_stream(items))


def count_in_task(items: Any) -> int:
    """Have them answered for a task."""

    async def ask() -> int:
        async with aio.Client(ADDRESS) as client:
            answers = client.predict_stream(items)
            return sum([len(answer.prediction) async for answer in answers])

    return asyncio.run(ask())


def growth_mib(parts: Iterator[Any]) -> float:
    """Return by how much the process grows, at most, while it reads parts and keeps none."""
    before = largest = memory_mib(os.getpid())
    for part in parts:
        largest = max(largest, memory_mib(os.getpid()))
        del part
    return largest - before


@click.command()
@repository_option
@click.option("--images", "n_images", default=40_000, show_default=True)
@click.option("--rounds", default=ROUNDS, show_default=True)
def main(repository: str, n_images: int, rounds: int) -> None:
    """Ask a server on a core from a caller on another."""
    pin_caller()
    random = np.random.default_rng(0)
    floats = random.random((n_images, 784), dtype=np.float32)
    levels = (255 * floats).astype(np.uint8)
    few, batches = floats[: n_images // 10], np.array_split(floats, n_images // 64)
    command = server_command(ADDRESS, "--repository", str(repository))
    with started(command, ADDRESS), Client(ADDRESS) as client:
        # First, while no memory is left over from other runs.
        client.predict(few[0])
        memory = {
            "predict_parts, a generator of all images": client.predict_parts(iter(floats)),
            "predict_parts, an array of float64": client.predict_parts(floats.astype(float)),
            "predict_stream, images": client.predict_stream(few),
        }
        print_table(
            ["what is read", "MiB more, at most"],
            [[name, f"{growth_mib(parts):.0f}"] for name, parts in memory.items()],
        )
        for name, images in (("float32", floats), ("uint8", levels)):
            runs: dict[str, Run] = {
                f"{kib}/{ahead}": partial(in_parts, client, images, kib, ahead)
                for kib in PART_KIB
                for ahead in AHEAD
            }
            runs["calls"] = partial(one_after_the_other, client, images)
            found = rates(runs, rounds)
            click.echo(f"\n{name}: thousands of images a second, in parts and by calls of 1,000")
            rows = [
                [f"{kib} KiB", *(f"{found[f'{kib}/{ahead}'] / 1000:.0f}" for ahead in AHEAD)]
                for kib in PART_KIB
            ]
            rows.append(
                ["calls of 1,000", f"{found['calls'] / 1000:.0f}", *[""] * (len(AHEAD) - 1)]
            )
            print_table(["parts of", *(f"{ahead} in flight" for ahead in AHEAD)], rows)
        found = rates(
            {
                "predict, an array of float64": lambda: len(client.predict(few.astype(float))),
                "predict, a generator of images": lambda: len(client.predict(iter(few))),
                "predict, image after image": lambda: sum(map(len, map(client.predict, few[:500]))),
                "predict_stream, images": lambda: count(client, few),
                "predict_stream, images, asyncio": lambda: count_in_task(few),
                "predict_stream, batches of 64": lambda: count(client, batches),
                "predict_stream, batches of 64, asyncio": lambda: count_in_task(batches),
            },
            rounds,
        )
        print_table(
            ["of one caller", "images a second"],
            [[name, f"{figure:,.0f}"] for name, figure in found.items()],
        )


if __name__ == "__main__":
    main()
