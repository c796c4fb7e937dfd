"""Writes the data files of the page: the sheet of test images and the handmade network."""

import gzip
import json
from pathlib import Path

import numpy as np

from exporter.study import handmade
from exporter.training import mnist
from harness.server_process import ROOT
from server.http.static_files import FOLDER

EVERY = 10
"""Each tenth of MNIST's 10,000 test images is on the sheet: a rule that knows no network, and gives
the easier first half and the harder second half their due.
"""


def sheet() -> bytes:
    """Return the labels of the images, a byte each, and then their pixels, a byte each."""
    images, labels = mnist.load(ROOT / "tests" / "data", "test")
    pixels = np.rint(255 * images[::EVERY]).astype(np.uint8)
    return labels[::EVERY].astype(np.uint8).tobytes() + pixels.tobytes()


def handmade_network() -> bytes:
    """Return the layers of the handmade network, as JSON of the HTTP API has them."""
    layers = [
        {
            "weights": layer.weights.tolist(),
            "biases": layer.biases.tolist(),
            "activation": layer.activation,
        }
        for layer in handmade.build().layers
    ]
    return json.dumps({"layers": layers}).encode()


FILES = {"digits.bin": sheet, "handmade.bin": handmade_network}


def generate(folder: Path) -> None:
    """Write the files, each compressed by gzip."""
    for name, content in FILES.items():
        (folder / name).write_bytes(gzip.compress(content(), 9, mtime=0))


if __name__ == "__main__":
    generate(FOLDER / "data")
