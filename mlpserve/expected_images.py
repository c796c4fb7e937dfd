"""Which images a model expects: how many rows and columns, and how they are laid out."""

import json
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlpserve.images import Pixels
from mlpserve.models import ImageLayout, Model, ModelVersion


class NoImages(ValueError):
    """The model takes no pictures; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The rows and columns of a model's images, and their layout, if that is known.

    `numbers` are what stands for black and white, None for pixels.
    """

    shape: tuple[int, int]
    layout: ImageLayout | None
    numbers: tuple[float, float] | None = None

    def encode(self, images: npt.NDArray[np.float32]) -> Pixels:
        """Return images of levels in [0, 1], 0 for black, in the numbers that the model takes."""
        if self.numbers is None:
            return np.rint(255 * images).astype(np.uint8)
        black, white = self.numbers
        return np.asarray(black + (white - black) * images, np.float32)


def expect_pictures(model: Model, version: ModelVersion, side: int | None = None) -> Expected:
    """Return the images that a model wants made of pictures; `side` overrides their rows and
    columns.

    Raises NoImages when it takes no square images.
    """
    n_inputs = version.layer_sizes[0]
    layout = version.image_layout
    if side is not None:
        shape = (side, side)
    elif layout is not None:
        shape = (layout.rows, layout.columns)
    else:
        shape = (math.isqrt(n_inputs),) * 2
    if shape[0] * shape[1] != n_inputs:
        takes = f"{model.name}, version {version.version}, takes {n_inputs} numbers"
        if side is None:
            raise NoImages(
                f"{takes}, which are no square image; send it arrays of numbers instead of pictures"
            )
        square = math.isqrt(n_inputs)
        fitting = f"give --side {square}, or leave it out"
        raise NoImages(
            f"{takes}; --side {side} makes images of {side} x {side} = {side * side}; "
            + (fitting if square * square == n_inputs else "leave it out")
        )
    return Expected(shape, layout, _read_range(model, version))


def _read_range(model: Model, version: ModelVersion) -> tuple[float, float] | None:
    if version.input_range in ("", "[0, 1]"):
        return None
    try:
        low, high = json.loads(version.input_range)
        return float(low), float(high)
    except (ValueError, TypeError) as error:
        raise NoImages(
            f"{model.name}, version {version.version}, takes {version.input_range} numbers, of "
            "which none is black or white; send it arrays of numbers instead of pictures"
        ) from error
