"""Prints what callers get when five times as many calls come as the server can answer."""

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import click
import grpc
import numpy as np
from rich.console import Console
from rich.progress import track

from harness.forms import PREDICT_FLOATS
from harness.load import CLIENT_CORE, print_table, repository_of, server_command, started
from server.rpc.endpoint import PREDICT

SIZES = (784, 2048, 2048, 10)
ADDRESS = "127.0.0.1:50073"
IMAGES = 16
QUEUED_IMAGES = 64
"""Images that may wait, some tens of milliseconds of work: what waits longer is only late."""

CHANNELS = 8
IN_FLIGHT = 4
"""Callers that wait for their answers: enough that the server never does."""

LOADS = (0.8, 1.0, 2.0, 5.0)
WARM_UP_SECONDS = 1.0


@dataclass(slots=True)
class Outcome:
    """The calls of one load: latencies in seconds of the answered ones, and how others ended."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0

    def figures(self) -> list[float]:
        """Return answered, refused and failed calls a second, and the answered ones' p50 and p99 in
        milliseconds.
        """
        counts = (len(self.latencies), self.refused, self.failed)
        p50, p99 = np.percentile(self.latencies, [50, 99]) * 1e3
        return [*(count / self.seconds for count in counts), p50, p99]


class Caller:
    """Calls over a few connections, and sorts what comes back."""

    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        self._calls: list[grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = [
            channel.unary_unary(PREDICT) for channel in channels
        ]
        self._message = PREDICT_FLOATS.write(IMAGES)

    async def call(self, number: int, outcome: Outcome, counts_from: float) -> None:
        """Make a call; those begun before `counts_from`, by time.perf_counter, aren't counted."""
        begin = time.perf_counter()
        try:
            await self._calls[number % len(self._calls)](self._message, timeout=30)
        except grpc.aio.AioRpcError as error:
            if begin >= counts_from:
                refused = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                outcome.refused += refused
                outcome.failed += not refused
        else:
            if begin >= counts_from:
                outcome.latencies.append(time.perf_counter() - begin)

    async def closed_loop(self, in_flight: int, seconds: float) -> Outcome:
        """Keep so many calls in flight: what the server can do at most."""
        begin = time.perf_counter() + WARM_UP_SECONDS
        outcome = Outcome(seconds)

        async def repeat(number: int) -> None:
            while time.perf_counter() < begin + seconds:
                await self.call(number, outcome, begin)

        await asyncio.gather(*map(repeat, range(in_flight)))
        return outcome

    async def open_loop(self, calls_per_second: float, seconds: float) -> Outcome:
        """Begin calls at random moments, whether earlier ones have ended or not."""
        generator = np.random.default_rng(0)
        begin = time.perf_counter() + WARM_UP_SECONDS
        outcome, due, number = Outcome(seconds), time.perf_counter(), 0
        async with asyncio.TaskGroup() as tasks:
            while due < begin + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(self.call(number, outcome, begin))
                due += generator.exponential(1 / calls_per_second)
                number += 1
        return outcome


async def measure(rounds: int, seconds: float) -> tuple[float, dict[float, list[Outcome]]]:
    """Return the most calls per second, and the outcomes of each load."""
    async with contextlib.AsyncExitStack() as stack:
        # Each with a connection of its own, which channels to one address otherwise share.
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(ADDRESS, options=options))
            for _ in range(CHANNELS)
        ]
        caller = Caller(channels)
        closed = [await caller.closed_loop(IN_FLIGHT, seconds) for _ in range(rounds)]
        most = medians(closed)[0]
        outcomes: dict[float, list[Outcome]] = {load: [] for load in LOADS}
        turns = [load for _ in range(rounds) for load in LOADS]
        for load in track(turns, "measuring", console=Console(stderr=True)):
            outcomes[load].append(await caller.open_loop(load * most, seconds))
        return most, outcomes


def medians(outcomes: Sequence[Outcome]) -> list[float]:
    """Return the median of each figure."""
    figures: list[float] = np.median([one.figures() for one in outcomes], axis=0).tolist()
    return figures


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=4.0, show_default=True, help="Of each load.")
def main(rounds: int, seconds: float) -> None:
    """Send calls of 16 images to a 784-2048-2048-10 network at 0.8 to 5 times its capacity.

    Calls come at random moments, whether earlier ones have been answered or not. Capacity is what
    a few callers that wait for their answers get together.
    """
    os.sched_setaffinity(0, {CLIENT_CORE})
    with repository_of(*SIZES) as models:
        queue = str(QUEUED_IMAGES)
        limits = ("--max-queued-images", queue, "--max-batch-size", queue)
        command = server_command(ADDRESS, "--repository", str(models), *limits)
        with started(command, ADDRESS):
            most, outcomes = asyncio.run(measure(rounds, seconds))
    rows = []
    for load, its in outcomes.items():
        goodput, refused, failed, p50, p99 = medians(its)
        row = (f"{goodput:.0f}", f"{goodput / most:.0%}", f"{refused:.0f}", f"{failed:.0f}")
        rows.append((f"{load:g}", *row, f"{p50:.1f}", f"{p99:.1f}"))
    click.echo(f"capacity: {most:.0f} calls/s of {IMAGES} images")
    headings = ("load", "answered/s", "of capacity", "refused/s", "failed/s", "p50 ms", "p99 ms")
    print_table(headings, rows, names=0)
    (_, _, _, _, usual), (goodput, _, _, _, late) = (medians(outcomes[one]) for one in (0.8, 5.0))
    click.echo(
        f"at 5 times the capacity: {goodput / most:.0%} of it answered, p99 of these "
        f"{late / usual:.2f} times that at 0.8"
    )


if __name__ == "__main__":
    main()
