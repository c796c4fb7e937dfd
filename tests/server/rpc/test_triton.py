"""A client that others wrote, tritonclient, gets what NumPy says."""

from pathlib import Path

import numpy as np

from exporter import network
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import ROOT, ServerProcess

N_IMAGES = 50


def test_tritonclient_gets_what_numpy_says(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    images, answers = tmp_path / "images.npy", tmp_path / "answers.npz"
    np.save(images, digits[0][:N_IMAGES])
    script = Path(__file__).with_name("triton_calls.py")
    isolated.run("tritonclient", [script, server.grpc_address, images, answers])
    reference = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
    *hidden, activations = reference.forward(digits[0][:N_IMAGES])
    labels = activations.argmax(axis=1)
    with np.load(answers) as found:
        np.testing.assert_array_equal(found["of_levels"], labels)
        for client in ("", "async_"):
            np.testing.assert_array_equal(found[f"{client}labels"], labels)
            wanted = {"activations": activations, "hidden_1": hidden[0], "hidden_2": hidden[1]}
            for name, expected in wanted.items():
                np.testing.assert_allclose(found[client + name], expected, rtol=0, atol=1e-5)
