"""Writes examples/digits: of each digit the first test image that the network reads right."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.network import load
from exporter.training import mnist
from harness.server_process import ROOT

FOLDER = ROOT / "examples" / "digits"


def chosen() -> Iterator[np.ndarray]:
    """Yield the images of 0 to 9, (28, 28) bytes each."""
    images, labels = mnist.load(ROOT / "tests" / "data", "test")
    shipped = load(ROOT / "exporter" / "weights" / "digits.npz").network
    read = shipped.forward(images)[-1].argmax(axis=1)
    for digit in range(10):
        (right,) = np.nonzero((labels == digit) & (read == digit))
        yield np.rint(255 * images[right[0]]).astype(np.uint8).reshape(28, 28)


def generate(folder: Path) -> None:
    """Write the pictures, 8-bit grey."""
    for digit, image in enumerate(chosen()):
        Image.fromarray(image).save(folder / f"{digit}.png", optimize=True)


if __name__ == "__main__":
    generate(FOLDER)
