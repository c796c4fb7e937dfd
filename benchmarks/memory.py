"""Prints a server's memory while it answers a million calls."""

from pathlib import Path

import click
from rich.console import Console

from benchmarks.load import Shape, memory_mib, run, server_command, started
from server.rpc.endpoint import PREDICT

SHAPE = Shape(8, 8)
ADDRESS = "127.0.0.1:50072"
STEP_SECONDS = 8.0


@click.command()
@click.option("--calls", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--repository",
    default="models",
    show_default=True,
    type=click.Path(path_type=Path, exists=True),
)
def main(calls: int, repository: Path) -> None:
    """Load a server with one-image calls, 64 at a time, and print its memory as they add up."""
    console = Console(highlight=False)
    answered = 0.0
    command = server_command(ADDRESS, "--repository", str(repository))
    with started(command, ADDRESS) as process:
        while answered < calls:
            measured = run(process, ADDRESS, SHAPE, STEP_SECONDS, PREDICT)
            # The load's second of warming up counts too.
            answered += measured.calls_per_second * (STEP_SECONDS + 1)
            console.print(f"{answered:>11,.0f} calls  {memory_mib(process.pid):,.1f} MiB")


if __name__ == "__main__":
    main()
