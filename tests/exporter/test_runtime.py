"""Models are checked before they are published, with ONNX Runtime and without."""

import re
from pathlib import Path

import numpy as np
import pytest

from exporter import runtime
from exporter.export import graph
from exporter.network.network import Batch, NetworkError
from harness.networks import random_batch, random_network


@pytest.mark.parametrize("installed", [True, False])
def test_what_runs_a_model(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    if not installed:
        monkeypatch.setattr(runtime, "onnxruntime", None)
    network = random_network((6, 5, 4, 3), ("selu", "tanh", "softmax"))
    model = graph.build(network)
    name, run = runtime.open_model(model)
    assert name.startswith("ONNX Runtime 1." if installed else "ONNX's reference evaluator")
    batch = random_batch(3, 6)
    output, *hidden = run(batch)
    for found, wanted in zip((*hidden, output), network.forward(batch), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    described = graph.describe(Path("model.onnx"), model)
    assert (described.runtime, described.fault) == (name, "")


def test_what_the_runtime_computes_otherwise_is_not_exported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = runtime.open_model

    def open_model(model: object) -> tuple[str, runtime.Run]:
        name, run = real(model)  # type: ignore[arg-type]

        def wrong(batch: Batch) -> list[Batch]:
            return [layer + np.float32(len(batch) > 8) * np.float32(0.01) for layer in run(batch)]

        return name, wrong

    monkeypatch.setattr(runtime, "open_model", open_model)
    message = re.escape("weights: the model answers an image differently in a batch of 64: ")
    with pytest.raises(NetworkError, match=message):
        graph.build(random_network((6, 5, 3)))
