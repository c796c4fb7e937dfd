"""Prints what a call costs the server, beside servers that do nothing for it, in one run."""

import sys
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

import click

from harness.load import (
    Shape,
    measure,
    median,
    need_h2load,
    print_table,
    repository_option,
    server_command,
)

SHAPES = (Shape(1, 1), Shape(1, 32), Shape(8, 8), Shape(16, 16), Shape(4, 2, 64), Shape(4, 2, 1024))


def commands(repository: Path) -> Mapping[str, tuple[str, list[str]]]:
    """Return each server's address and command line."""
    noop = [sys.executable, "-m", "harness.references.noop"]
    addresses = [f"127.0.0.1:{50061 + number}" for number in range(4)]
    models = ("--repository", str(repository))
    return {
        "server": (addresses[0], server_command(addresses[0], *models)),
        "no-op, lane": (addresses[1], [*noop, addresses[1], "--lane"]),
        "server, lane off": (addresses[2], server_command(addresses[2], *models, "--lane", "off")),
        "no-op, threads": (addresses[3], [*noop, addresses[3]]),
    }


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=3.0, show_default=True, help="Of each load.")
@repository_option
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    type=click.Choice(list(map(str, SHAPES))),
    help="Only this load; may be repeated.",
)
def main(rounds: int, seconds: float, repository: Path, shapes: tuple[str, ...]) -> None:
    """Measure servers in turns, each pinned to one core, the load generator to another.

    CPU is the server's, user and system, per call. The figures are medians of the rounds.
    """
    need_h2load()
    loads = [shape for shape in SHAPES if not shapes or str(shape) in shapes]
    servers = commands(repository)
    found = measure(servers, loads, rounds, seconds)
    rows = [
        (str(shape), name, *(f"{figure:,.0f}" for figure in astuple(median(found[name, shape]))))
        for shape in loads
        for name in servers
    ]
    print_table(("in flight", "server", "calls/s", "p50 us", "p99 us", "CPU us a call"), rows, 2)
    for shape in loads:
        mine, idle = median(found["server", shape]), median(found["no-op, lane", shape])
        threads = median(found["server, lane off", shape])
        click.echo(
            f"{shape}: {mine.cpu / idle.cpu:.2f} x the lane's no-op in CPU, "
            f"{mine.calls_per_second / idle.calls_per_second:.0%} of its calls/s; "
            f"{mine.cpu / threads.cpu:.2f} x the thread pool's CPU"
        )


if __name__ == "__main__":
    main()
