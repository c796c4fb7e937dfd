"""Publishes versions while a server answers, and prints what became of calls and memory."""

import tempfile
from pathlib import Path

import click

from harness.load import memory_mib, server_command, started
from harness.reloads import publish, reload_under_load
from mlpserve import Client

ADDRESS = "127.0.0.1:50073"
READY_SECONDS = 60.0
SETTLED_RELOADS = 10
"""Reloads after which memory should grow no more."""


@click.command()
@click.option("--reloads", default=200, show_default=True, type=click.IntRange(min=SETTLED_RELOADS))
def main(reloads: int) -> None:
    """Let a server reload a model so many times under load."""
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        publish(repository, 1)
        command = server_command(ADDRESS, "--repository", folder)
        with started(command, ADDRESS) as process, Client(ADDRESS) as client:
            client.wait_until_ready(READY_SECONDS)
            counts, versions = reload_under_load(
                ADDRESS, repository, reloads, lambda: memory.append(memory_mib(process.pid))
            )
    settled, end = memory[SETTLED_RELOADS - 1], memory[-1]
    for name, text in {
        "calls sent": f"{counts.sent:,}",
        "answered": f"{counts.answered:,}",
        "failed": str(len(counts.failed)),
        "lost": str(counts.lost),
        "wrong answers": str(counts.wrong),
        "versions that answered": str(len(versions)),
        "memory after the tenth": f"{settled:.1f} MiB",
        "memory at the end": f"{end:.1f} MiB ({end / settled - 1:+.1%})",
    }.items():
        click.echo(f"{name:<24}{text}")


if __name__ == "__main__":
    main()
