"""Publishes versions while a server answers, and prints what became of calls and memory."""

import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from exporter.export import graph, publishing
from exporter.network.network import Layer, Network
from harness.load import memory_mib, server_command, started
from mlpserve import Client, MlpserveError

ADDRESS = "127.0.0.1:50073"
MODEL = "changing"
SIZES = (784, 256, 10)
"""Large enough for the memory to show it if a version stayed."""

CALLERS = 4
WAIT_SECONDS = 60.0
SETTLED_RELOADS = 10
"""Reloads after which memory should grow no more."""


@dataclass(slots=True)
class Outcome:
    """What became of the calls, which versions answered, and the server's memory in MiB."""

    sent: int = 0
    answered: int = 0
    wrong: int = 0
    failed: list[str] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)
    memory: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Calls that neither were answered nor failed."""
        return self.sent - self.answered - len(self.failed)

    @property
    def growth(self) -> float:
        """How much memory grew since the tenth reload, as a share."""
        return self.memory[-1] / self.memory[SETTLED_RELOADS - 1] - 1


def network(version: int) -> Network:
    """Return the network of a version, whose answers no other version gives."""
    random = np.random.default_rng(version)
    layers = tuple(
        Layer(
            random.standard_normal((n_out, n_in)).astype(np.float32) / np.float32(n_in**0.5),
            random.standard_normal(n_out).astype(np.float32),
            "sigmoid",
        )
        for n_in, n_out in pairwise(SIZES)
    )
    return Network(layers, tuple(map(str, range(SIZES[-1]))))


def publish(repository: Path, version: int) -> None:
    """Publish a version as the exporter does."""
    publishing.publish(graph.build(network(version)), repository, MODEL, version)


def reload_under_load(address: str, pid: int, repository: Path, reloads: int) -> Outcome:
    """Publish the versions after the first, each as soon as the one before answers.

    Meanwhile callers ask without a pause, and each answer must be that of the version it names.
    """
    outcome = Outcome()
    image = np.random.default_rng(0).random((1, SIZES[0]), dtype=np.float32)
    expected = {n: network(n).forward(image)[-1] for n in range(1, reloads + 2)}
    lock, ended = threading.Lock(), threading.Event()

    def call() -> None:
        with Client(address, options={"grpc.use_local_subchannel_pool": 1}) as client:
            while not ended.is_set():
                with lock:
                    outcome.sent += 1
                try:
                    answer = client.predict(image, model=MODEL)
                except MlpserveError as error:
                    with lock:
                        outcome.failed.append(str(error))
                    continue
                right = np.allclose(answer.activations, expected[answer.version], atol=1e-5)
                with lock:
                    outcome.answered += 1
                    outcome.wrong += not right
                    outcome.versions.add(answer.version)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        with Client(address) as client:
            for version in range(2, reloads + 2):
                publish(repository, version)
                _wait_for(client, version)
                outcome.memory.append(memory_mib(pid))
    finally:
        ended.set()
        for caller in callers:
            caller.join()
    return outcome


def _wait_for(client: Client, version: int) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not any(m.name == MODEL and m.default_version == version for m in client.list_models()):
        if time.monotonic() > end:
            raise TimeoutError(f"version {version} is not served after {WAIT_SECONDS:g} s")
        time.sleep(0.02)


def _rows(outcome: Outcome) -> Iterator[tuple[str, str]]:
    yield "calls sent", f"{outcome.sent:,}"
    yield "answered", f"{outcome.answered:,}"
    yield "failed", str(len(outcome.failed))
    yield "lost", str(outcome.lost)
    yield "wrong answers", str(outcome.wrong)
    yield "versions that answered", str(len(outcome.versions))
    yield "memory after the tenth", f"{outcome.memory[SETTLED_RELOADS - 1]:.1f} MiB"
    yield "memory at the end", f"{outcome.memory[-1]:.1f} MiB ({outcome.growth:+.1%})"


@click.command()
@click.option("--reloads", default=200, show_default=True, type=click.IntRange(min=SETTLED_RELOADS))
def main(reloads: int) -> None:
    """Let a server reload a model so many times under load."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        publish(repository, 1)
        command = server_command(ADDRESS, "--repository", folder)
        with started(command, ADDRESS) as process, Client(ADDRESS) as client:
            client.wait_until_ready(WAIT_SECONDS)
            outcome = reload_under_load(ADDRESS, process.pid, repository, reloads)
    for name, text in _rows(outcome):
        console.print(f"{name:<24}{text}")


if __name__ == "__main__":
    main()
