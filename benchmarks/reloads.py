"""Publishes versions while a server answers, and prints what became of calls and memory."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from harness.load import memory_mib, server_command, started
from harness.reloads import Outcome, publish, reload_under_load
from mlpserve import Client

ADDRESS = "127.0.0.1:50073"
READY_SECONDS = 60.0
SETTLED_RELOADS = 10
"""Reloads after which memory should grow no more."""


def _rows(outcome: Outcome, memory: Sequence[float]) -> Iterator[tuple[str, str]]:
    settled, end = memory[SETTLED_RELOADS - 1], memory[-1]
    yield "calls sent", f"{outcome.sent:,}"
    yield "answered", f"{outcome.answered:,}"
    yield "failed", str(len(outcome.failed))
    yield "lost", str(outcome.lost)
    yield "wrong answers", str(outcome.wrong)
    yield "versions that answered", str(len(outcome.versions))
    yield "memory after the tenth", f"{settled:.1f} MiB"
    yield "memory at the end", f"{end:.1f} MiB ({end / settled - 1:+.1%})"


@click.command()
@click.option("--reloads", default=200, show_default=True, type=click.IntRange(min=SETTLED_RELOADS))
def main(reloads: int) -> None:
    """Let a server reload a model so many times under load."""
    console = Console(highlight=False)
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        publish(repository, 1)
        command = server_command(ADDRESS, "--repository", folder)
        with started(command, ADDRESS) as process, Client(ADDRESS) as client:
            client.wait_until_ready(READY_SECONDS)
            outcome = reload_under_load(
                ADDRESS, repository, reloads, lambda: memory.append(memory_mib(process.pid))
            )
    for name, text in _rows(outcome, memory):
        console.print(f"{name:<24}{text}")


if __name__ == "__main__":
    main()
