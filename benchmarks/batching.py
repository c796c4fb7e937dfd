"""Prints how much faster a slow model is when calls that wait for it run together."""

from pathlib import Path

import click

from harness.load import Shape, median, repository_of, run, server_command, started

SIZES = (784, 2048, 2048, 10)
SHAPE = Shape(8, 8)
ADDRESS = "127.0.0.1:50071"


def calls_per_second(models: Path, rounds: int, seconds: float, *arguments: str) -> float:
    """Return the calls answered per second by a server with these settings."""
    command = server_command(ADDRESS, "--repository", str(models), *arguments)
    with started(command, ADDRESS) as process:
        measured = [run(process, ADDRESS, SHAPE, seconds) for _ in range(rounds)]
    return median(measured).calls_per_second


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=3.0, show_default=True, help="Of each load.")
def main(rounds: int, seconds: float) -> None:
    """Load a 784-2048-2048-10 network with 64 one-image calls at a time, joined and one by one."""
    with repository_of(*SIZES) as models:
        alone = calls_per_second(models, rounds, seconds, "--max-batch-size", "1")
        threads = calls_per_second(models, rounds, seconds, "--lane", "off")
        joined = calls_per_second(models, rounds, seconds)
    click.echo(
        f"one image a run: {alone:,.0f} calls/s; on grpcio's threads: {threads:,.0f}; "
        f"joined: {joined:,.0f}, {joined / alone:.1f} times as many"
    )


if __name__ == "__main__":
    main()
