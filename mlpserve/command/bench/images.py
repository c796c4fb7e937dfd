"""Where the images of a load come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from mlpserve.bench.load.requests import random_images
from mlpserve.command.arrays.header import ArrayError
from mlpserve.command.arrays.reading import check_gzip, find_array, read_blocks

MNIST = Path("tests/data/t10k-images-idx3-ubyte.gz")
"""MNIST's test images, where mlpserve's repository has them."""

MNIST_PIXELS = 784
MAX_IMAGES = 10_000
"""Images of a file that are sent, its first ones."""


@dataclass(slots=True)
class ImageSource:
    """Images from a file; without one MNIST's test images if they are at hand, or random ones.

    `name` says for people what they are, once they have been asked for.
    """

    file: Path | None
    name: str = ""

    def __call__(self, n_inputs: int) -> npt.NDArray[Any]:
        """Return images (N, pixels) for a model of `n_inputs` numbers, or end the command."""
        if self.file is not None:
            self.name = str(self.file)
            return read_images(self.file)
        if n_inputs == MNIST_PIXELS and MNIST.is_file():
            self.name = "MNIST's test set"
            return read_images(MNIST)
        self.name = "random levels"
        return random_images(n_inputs)


def read_images(file: Path) -> npt.NDArray[Any]:
    """Return the first images of an IDX or .npy file as an array (N, pixels), or end the command
    with what is wrong with it.
    """
    try:
        header = find_array(file)
        if header is None or len(header.shape) < 2:
            raise ArrayError("holds no batch of images; give an IDX file or an .npy file of one")
        if header.is_gzipped:
            check_gzip(file, header)
        n_images = header.shape[0]
        return np.array(next(read_blocks(file, header, n_images, MAX_IMAGES)))
    except (ArrayError, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from error
