"""Publishes networks with the reference that drift is measured against, from images at hand."""

import json
from pathlib import Path

import numpy as np

from exporter import graph, publishing
from exporter.network import Batch, Network

BINS = 10


def publish(network: Network, images: Batch, repository: Path, name: str, version: int) -> None:
    """Publish a network whose reference are these images (N, n_in), with bins of equal shares."""
    model = graph.build(network)
    # The network may have brought that of its training set.
    for entry in [entry for entry in model.metadata_props if entry.key == "reference"]:
        model.metadata_props.remove(entry)
    model.metadata_props.add(key="reference", value=json.dumps(_reference(network, images)))
    publishing.publish(model, repository, name, version)


def _reference(network: Network, images: Batch) -> dict[str, object]:
    """Return what server/reference.py reads."""
    activations = network.forward(images)[-1]
    second, winner = np.sort(activations, axis=1)[:, -2:].T
    labels = np.bincount(activations.argmax(axis=1), minlength=len(network.labels))
    return {
        "labels": (labels / len(images)).tolist(),
        "winning_activation": _bins(winner),
        "margin": _bins(winner - second),
        "ink": _bins(images.mean(axis=1)),
    }


def _bins(values: Batch) -> dict[str, list[float]]:
    bounds = np.unique(np.quantile(values, np.arange(1, BINS) / BINS).round(3))
    counts = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
    return {"bounds": bounds.tolist(), "shares": (counts / len(values)).tolist()}
