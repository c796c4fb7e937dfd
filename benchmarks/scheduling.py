"""Prints what batch scheduling brings and costs: the server with it beside one without."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

import click

from benchmarks.call_cost import SHAPES
from harness.changes import write_changes
from harness.load import (
    SERVER_CORE,
    Load,
    Measured,
    Shape,
    measure,
    median,
    need_h2load,
    pinned,
    print_table,
    repository_option,
    server_command,
)
from server.system.scheduling import Scheduling

ADDRESSES = {"auto": "127.0.0.1:50083", "normal": "127.0.0.1:50084"}
ALONE = Shape(1, 1)


def row(name: str, found: Mapping[Load, Sequence[Measured]], shape: Shape) -> list[str]:
    """Return both servers' figures side by side."""
    auto, normal = (astuple(median(found[Load(policy, shape)]))[:3] for policy in ADDRESSES)
    figures = [f"{figure:,.0f}" for pair in zip(auto, normal, strict=True) for figure in pair]
    return [name, *figures, f"{auto[0] / normal[0] - 1:.0%}"]


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
    loads = [Load(name, shape) for shape in SHAPES for name in servers]
    with tempfile.TemporaryDirectory() as folder:
        never = "Scheduling.start = lambda _: None"
        path = write_changes(Path(folder) / "path", {Scheduling.__module__: never})
        address, command = servers["normal"]
        servers["normal"] = address, ["env", f"PYTHONPATH={path}", *command]
        found = measure(servers, loads, rounds, seconds)
        neighbour = [*pinned(SERVER_CORE), sys.executable, "-c", "while True: pass"]
        with subprocess.Popen(neighbour) as process:
            try:
                beside = measure(servers, [Load(name, ALONE) for name in servers], rounds, seconds)
            finally:
                process.terminate()
    rows = [row(str(shape), found, shape) for shape in SHAPES]
    rows.append(row(f"{ALONE}, beside another program", beside, ALONE))
    figures = ("calls/s", "normal", "p50 us", "normal", "p99 us", "normal", "more calls")
    print_table(("in flight", *figures), rows)


if __name__ == "__main__":
    main()
