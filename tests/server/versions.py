"""Small models whose versions answer differently, and what a server says of them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exporter.export import graph, publishing
from exporter.network.network import Batch
from harness.networks import random_network
from harness.scrape import samples
from harness.server_process import ServerProcess
from mlpserve import Client, Model

IMAGE = np.full((1, 4), 0.25, np.float32)


def answer_of(version: int) -> Batch:
    """What NumPy says to `IMAGE` with the network of this version."""
    return random_network((4, 5, 3), seed=version).forward(IMAGE)[-1]


def publish(repository: Path, version: int, name: str = "small") -> Path:
    """Publish a version as the exporter does; returns its file."""
    model = graph.build(random_network((4, 5, 3), seed=version))
    return publishing.publish(model, repository, name, version)


def check(client: Client, number: int, **named: Any) -> None:
    """The version of that number answers, as NumPy does."""
    prediction = client.predict(IMAGE, **named)
    assert prediction.version == number
    np.testing.assert_allclose(prediction.activations, answer_of(number), atol=1e-6)


def only(client: Client) -> Model:
    (model,) = client.list_models()
    return model


def states(client: Client) -> dict[int, bool]:
    """Whether each version of the only model is loaded."""
    return {version.version: version.is_loaded for version in only(client).versions}


def info(server: ServerProcess) -> set[str]:
    """The versions that mlpserve_model_info has."""
    return {
        dict(labels)["version"] for name, labels in samples(server) if name == "mlpserve_model_info"
    }


def check_until(done: Callable[[], bool]) -> None:
    """Wait for what the server has begun."""
    for _ in range(1000):
        if done():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came true")
