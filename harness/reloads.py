"""Publishes versions of a model while callers ask for it, and counts what became of their calls."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from exporter.export import graph, publishing
from exporter.network.network import Network
from harness.callers import OWN_CONNECTION, Counts, calling
from harness.networks import random_batch, random_network
from harness.waiting import wait_for
from mlpserve import Client

MODEL = "changing"
SIZES = (784, 256, 10)
"""Large enough for the memory to show it if a version stayed."""

CALLERS = 4


def network(version: int) -> Network:
    """Return the network of a version, whose answers no other version gives."""
    return random_network(SIZES, seed=version)


def publish(repository: Path, version: int) -> None:
    """Publish a version as the exporter does."""
    publishing.publish(graph.build(network(version)), repository, MODEL, version)


def reload_under_load(
    address: str, repository: Path, reloads: int, after_each: Callable[[], None] = lambda: None
) -> tuple[Counts, set[int]]:
    """Publish the versions after the first, each as soon as the one before answers; returns what
    became of calls, and which versions answered.

    Meanwhile callers ask without a pause, and each answer must be that of the version it names.
    """
    versions: set[int] = set()
    image = random_batch(1, SIZES[0])
    expected = {n: network(n).forward(image)[-1] for n in range(1, reloads + 2)}

    def connect() -> Client:
        return Client(address, options=OWN_CONNECTION)

    def ask(client: Client) -> bool:
        answer = client.predict(image, model=MODEL)
        versions.add(answer.version)
        return np.allclose(answer.activations, expected[answer.version], atol=1e-5)

    def serves(client: Client, version: int) -> bool:
        models = client.list_models()
        return any(one.name == MODEL and one.default_version == version for one in models)

    with (
        calling(
            connect, ask, CALLERS, calls_per_connection=sys.maxsize, pause_seconds=0.0
        ) as counts,
        Client(address) as client,
    ):
        for version in range(2, reloads + 2):
            publish(repository, version)
            wait_for(partial(serves, client, version))
            after_each()
    return counts, versions
