"""Prints what batch scheduling brings: the server with it beside one without, in one run."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.call_cost import SHAPES
from benchmarks.load import measure, median, need_h2load, repository_option, server_command

ADDRESSES = {"batch": "127.0.0.1:50083", "normal": "127.0.0.1:50084"}


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=2.0, show_default=True, help="Of each load.")
@repository_option
def main(rounds: int, seconds: float, repository: Path) -> None:
    """Load both servers in turns, each pinned to one core, the load generator to another."""
    need_h2load()
    models = ("--repository", str(repository))
    servers = {
        policy: (address, server_command(address, *models, "--scheduling", policy))
        for policy, address in ADDRESSES.items()
    }
    found = measure(servers, SHAPES, rounds, seconds)
    table = Table("in flight", "calls/s", "normal", "p50 us", "normal", "p99 us", "normal", "more")
    for column in table.columns[1:]:
        column.justify = "right"
    for shape in SHAPES:
        batch, normal = (median(found[policy, shape]) for policy in ADDRESSES)
        pairs = (
            (batch.calls_per_second, normal.calls_per_second),
            (batch.p50, normal.p50),
            (batch.p99, normal.p99),
        )
        more = batch.calls_per_second / normal.calls_per_second - 1
        figures = (f"{figure:,.0f}" for pair in pairs for figure in pair)
        table.add_row(str(shape), *figures, f"{more:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
