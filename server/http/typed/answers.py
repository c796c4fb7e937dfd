"""What calls answer, as JSON has it."""

from dataclasses import asdict
from typing import Any

import numpy as np

from mlpserve.models import ImageLayout, Model, Network
from mlpserve.prediction import Prediction


def describe_prediction(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction; hidden layers and canonicalization when they were asked for."""
    content: dict[str, Any] = {
        "model": prediction.model,
        "version": prediction.version,
        "labels": prediction.labels,
        "label_names": prediction.label_names,
        "activations": prediction.activations,
    }
    if prediction.hidden_layers:
        content["hidden_layers"] = prediction.hidden_layers
    if (done := prediction.canonicalization) is not None:
        content["canonicalization"] = {
            "inverted": done.inverted,
            "scales": done.scales,
            "shifts": done.shifts,
        }
        if done.pixels is not None:
            content["canonicalization"]["pixels"] = done.pixels
    return content


def describe_model(model: Model) -> dict[str, Any]:
    """Return a model and its versions."""
    return {
        "name": model.name,
        "default_version": model.default_version,
        "labels": dict(model.labels),
        "versions": [
            {
                "version": version.version,
                "is_loaded": version.is_loaded,
                "error": version.error,
                "layer_sizes": version.layer_sizes,
                "label_names": version.label_names,
                "weights_sha256": version.weights_sha256,
                "input_range": version.input_range,
                "image_layout": _layout(version.image_layout),
            }
            for version in model.versions
        ],
    }


def describe_network(network: Network) -> dict[str, Any]:
    """Return a network: layers, weights and biases."""
    return {
        "model": network.model,
        "version": network.version,
        "label_names": network.label_names,
        "input_range": network.input_range,
        "image_layout": _layout(network.image_layout),
        "layers": [
            {
                "activation": layer.activation,
                "weights": layer.weights,
                "biases": layer.biases,
            }
            for layer in network.layers
        ],
    }


def _layout(layout: ImageLayout | None) -> dict[str, Any] | None:
    if layout is None:
        return None
    content = asdict(layout)
    # Of 32 bits, so that they are written with as few digits as these have.
    numbers = {name: np.float32(value) for name, value in content.items() if type(value) is float}
    return {**content, **numbers, "centre": np.array(layout.centre, np.float32)}
