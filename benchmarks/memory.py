"""Prints a server's memory while it answers a million calls over the same connections."""

import subprocess
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from harness.load import Shape, h2load, memory_mib, repository_option, server_command, started

ADDRESS = "127.0.0.1:50072"
SHAPE = Shape(8, 8)
PAUSE_SECONDS = 5.0


@click.command()
@click.option("--calls", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@repository_option
def main(calls: int, repository: Path) -> None:
    """Load a server with one-image calls, 64 at a time, and print its memory meanwhile."""
    console = Console(highlight=False)
    command = server_command(ADDRESS, "--repository", str(repository))
    with started(command, ADDRESS) as process, tempfile.TemporaryDirectory() as folder:
        calling = h2load(folder, ADDRESS, SHAPE, "-n", str(calls))
        load = subprocess.Popen(calling, stdout=subprocess.DEVNULL)
        begin = time.monotonic()
        while load.poll() is None:
            time.sleep(PAUSE_SECONDS)
            console.print(
                f"after {time.monotonic() - begin:4.0f} s  {memory_mib(process.pid):.1f} MiB"
            )
    if load.returncode:
        raise click.ClickException(f"h2load ended with {load.returncode}")
    console.print(f"{calls:,} calls answered")


if __name__ == "__main__":
    main()
