"""Prints how long a server takes from its start to its first answer."""

import statistics
import subprocess
import time

import click
import numpy as np

from harness.load import server_command
from mlpserve import Client

ADDRESS = "127.0.0.1:50059"


def measure(workers: int) -> float:
    """Start a server, ask it for one image as soon as it is ready, and return the seconds."""
    image = np.zeros((28, 28), np.uint8)
    begin = time.perf_counter()
    with subprocess.Popen(server_command(ADDRESS, "--workers", str(workers))) as process:
        try:
            with Client(ADDRESS) as client:
                client.wait_until_ready(60)
                client.predict(image)
            return time.perf_counter() - begin
        finally:
            process.terminate()


@click.command()
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), help="Starts.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1))
def main(runs: int, workers: int) -> None:
    """Print the seconds from starting the server on `models/` to its first answer."""
    seconds = sorted(measure(workers) for _ in range(runs))
    click.echo(
        f"first answer after {statistics.median(seconds):.2f} s "
        f"(median of {runs}; {seconds[0]:.2f} to {seconds[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
