"""A client that others wrote, nvidia-pytriton's, gets what NumPy says."""

import platform
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter import network
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import ROOT, ServerProcess

N_IMAGES = 20
PYTHON = sys.executable if sys.version_info < (3, 13) else "3.12"
"""It wants a NumPy that newer ones have no wheel of."""


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="nvidia-pytriton is there for Linux on x86_64 alone",
)
@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_pytriton_gets_what_numpy_says(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path, scheme: str
) -> None:
    images, answers = tmp_path / "images.npy", tmp_path / "answers.npz"
    np.save(images, digits[0][:N_IMAGES])
    script = Path(__file__).with_name("pytriton_calls.py")
    address = server.grpc_address if scheme == "grpc" else server.http_address
    isolated.run("pytriton", [script, f"{scheme}://{address}", images, answers], PYTHON)
    reference = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
    *_, activations = reference.forward(digits[0][:N_IMAGES])
    with np.load(answers) as found:
        ways = ("batch", "sample", "futures_batch", "futures_sample", "async_sample")
        assert set(found) == {f"{way}_{of}" for way in ways for of in ("activations", "labels")}
        for way in ways:
            labels, values = found[f"{way}_labels"], found[f"{way}_activations"]
            np.testing.assert_array_equal(labels, activations.argmax(axis=1))
            np.testing.assert_allclose(values, activations, rtol=0, atol=1e-5)
