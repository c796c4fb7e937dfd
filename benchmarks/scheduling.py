"""Prints what batch scheduling brings and costs: the server with it beside one without."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.call_cost import SHAPES
from harness.changes import write_changes
from harness.load import (
    SERVER_CORE,
    Measured,
    Shape,
    measure,
    median,
    need_h2load,
    pinned,
    repository_option,
    server_command,
)
from server.system.scheduling import Scheduling

ADDRESSES = {"auto": "127.0.0.1:50083", "normal": "127.0.0.1:50084"}
ALONE = Shape(1, 1)


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """Run another program on the server's core, one that never rests."""
    command = [*pinned(SERVER_CORE), sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


def row(auto: Measured, normal: Measured) -> list[str]:
    """Return both servers' figures side by side."""
    pairs = (
        (auto.calls_per_second, normal.calls_per_second),
        (auto.p50, normal.p50),
        (auto.p99, normal.p99),
    )
    more = auto.calls_per_second / normal.calls_per_second - 1
    return [*(f"{figure:,.0f}" for pair in pairs for figure in pair), f"{more:.0%}"]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=2.0, show_default=True, help="Of each load.")
@repository_option
def main(rounds: int, seconds: float, repository: Path) -> None:
    """Load both servers in turns, each pinned to one core, the load generator to another.

    Then once more with calls one by one, while another program computes on the servers' core.
    """
    need_h2load()
    models = ("--repository", str(repository))
    servers = {
        policy: (address, server_command(address, *models)) for policy, address in ADDRESSES.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        never = "Scheduling.start = lambda _: None"
        path = write_changes(Path(folder) / "path", {Scheduling.__module__: never})
        address, command = servers["normal"]
        servers["normal"] = address, ["env", f"PYTHONPATH={path}", *command]
        found = measure(servers, SHAPES, rounds, seconds)
        with neighbour():
            beside = measure(servers, [ALONE], rounds, seconds)
    table = Table(
        "in flight", "calls/s", "normal", "p50 us", "normal", "p99 us", "normal", "more calls"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for shape in SHAPES:
        table.add_row(str(shape), *row(*(median(found[policy, shape]) for policy in ADDRESSES)))
    both = (median(beside[policy, ALONE]) for policy in ADDRESSES)
    table.add_row(f"{ALONE}, beside another program", *row(*both))
    Console().print(table)


if __name__ == "__main__":
    main()
