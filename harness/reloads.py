"""Publishes versions of a model while callers ask for it, and counts what became of their calls."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from exporter.export import graph, publishing
from exporter.network.network import Network
from harness.networks import random_batch, random_network
from harness.waiting import wait_for
from mlpserve import Client, MlpserveError

MODEL = "changing"
SIZES = (784, 256, 10)
"""Large enough for the memory to show it if a version stayed."""

CALLERS = 4


@dataclass(slots=True)
class Outcome:
    """What became of the calls, and which versions answered."""

    sent: int = 0
    answered: int = 0
    wrong: int = 0
    failed: list[str] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)

    @property
    def lost(self) -> int:
        """Calls that neither were answered nor failed."""
        return self.sent - self.answered - len(self.failed)


def network(version: int) -> Network:
    """Return the network of a version, whose answers no other version gives."""
    return random_network(SIZES, seed=version)


def publish(repository: Path, version: int) -> None:
    """Publish a version as the exporter does."""
    publishing.publish(graph.build(network(version)), repository, MODEL, version)


def reload_under_load(
    address: str, repository: Path, reloads: int, after_each: Callable[[], None] = lambda: None
) -> Outcome:
    """Publish the versions after the first, each as soon as the one before answers.

    Meanwhile callers ask without a pause, and each answer must be that of the version it names.
    """
    outcome = Outcome()
    image = random_batch(1, SIZES[0])
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

    def serves(client: Client, version: int) -> bool:
        models = client.list_models()
        return any(one.name == MODEL and one.default_version == version for one in models)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        with Client(address) as client:
            for version in range(2, reloads + 2):
                publish(repository, version)
                wait_for(partial(serves, client, version))
                after_each()
    finally:
        ended.set()
        for caller in callers:
            caller.join()
    return outcome
