"""Small models whose versions answer differently, and what a server says of them."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from exporter.export import graph, publishing
from exporter.network.network import Batch
from harness.calls import ask, infer_request
from harness.networks import random_network
from harness.scrape import by_label, samples
from harness.server_process import ServerProcess
from harness.waiting import wait_for
from mlpserve import Client, Model
from mlpserve.inference import open_inference_pb2 as protocol

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


def described(server: ServerProcess, name: str) -> set[str]:
    """The versions of a model in the metrics that describe what is loaded, which outlive none."""
    describing = ("model_info", "model_load_seconds", "version_label_info")
    return {
        dict(labels)["version"]
        for metric, labels in samples(server)
        if metric.removeprefix("mlpserve_") in describing and ("model", name) in labels
    }


@dataclass(frozen=True, slots=True)
class Own:
    """A model that one test has for itself, in the repository of a server that others share."""

    name: str
    repository: Path
    server: ServerProcess
    client: Client

    @property
    def folder(self) -> Path:
        return self.repository / self.name

    def publish(self, version: int) -> Path:
        """Publish a version; returns its file."""
        return publish(self.repository, version, self.name)

    def check(self, number: int, **named: Any) -> None:
        """The version of that number answers, as NumPy does."""
        check(self.client, number, model=self.name, **named)

    def describe(self) -> Model:
        """Return what the server says of the model."""
        (model,) = (model for model in self.client.list_models() if model.name == self.name)
        return model

    def states(self) -> dict[int, bool]:
        """Whether each version is loaded; empty before the server knows the model."""
        models = [model for model in self.client.list_models() if model.name == self.name]
        return {known.version: known.is_loaded for model in models for known in model.versions}

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log so far that are about the model."""
        lines = [line for line in list(self.server.log) if line["event"] == event]
        return [line for line in lines if line.get("model") == self.name]

    def wait_for(self, event: str, number: int = 1) -> dict[str, Any]:
        """Return the line of the log about the model that has this event for the n-th time."""
        wait_for(lambda: len(self.lines(event)) >= number)
        return self.lines(event)[number - 1]

    def info(self) -> set[str]:
        """The versions that mlpserve_model_info has."""
        return set(by_label(self.server, "mlpserve_model_info", "version", model=self.name))


@contextlib.contextmanager
def owning(repository: Path, server: ServerProcess, client: Client, name: str) -> Iterator[Own]:
    """Yield a model of this name, which has a first version; it is there no more afterwards."""
    own = Own(name, repository, server, client)
    own.publish(1)
    try:
        yield own
    finally:
        shutil.rmtree(own.folder, ignore_errors=True)


def infer(channel: grpc.Channel, version: str) -> protocol.ModelInferResponse:
    """Ask the default model for `IMAGE` by the public protocol."""
    request = infer_request(IMAGE, version=version)
    return ask(channel, "ModelInfer", request, protocol.ModelInferResponse)
