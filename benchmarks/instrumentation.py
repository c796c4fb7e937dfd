"""Prints what the metrics cost: a worker that counts beside one that does not, in one run."""

import statistics
import sys
from pathlib import Path

import click

from harness.load import Load, Shape, measure, need_h2load, print_table, repository_option

SHAPES = (Shape(1, 1), Shape(8, 8), Shape(16, 16))
ADDRESSES = {"--counting": "127.0.0.1:50081", "--no-counting": "127.0.0.1:50082"}


@click.command()
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=2.0, show_default=True, help="Of each load.")
@repository_option
def main(rounds: int, seconds: float, repository: Path) -> None:
    """Load both workers in turns, each pinned to one core, the load generator to another.

    The share is the median of the rounds' own shares, since two loads that follow each other meet
    about the same machine.
    """
    need_h2load()
    worker = [sys.executable, "-m", "harness.references.worker"]
    servers = {
        option: (address, [*worker, address, option, "--repository", str(repository)])
        for option, address in ADDRESSES.items()
    }
    found = measure(
        servers, [Load(name, shape) for shape in SHAPES for name in servers], rounds, seconds
    )
    rows = []
    for shape in SHAPES:
        counting, without = (
            [one.cpu for one in found[Load(option, shape)]] for option in ADDRESSES
        )
        shares = [1 - less / more for more, less in zip(counting, without, strict=True)]
        costs = [f"{statistics.median(costs):.1f}" for costs in (counting, without)]
        rows.append((str(shape), *costs, f"{statistics.median(shares):.1%}"))
    print_table(("in flight", "CPU us a call", "without metrics", "share of the metrics"), rows)


if __name__ == "__main__":
    main()
