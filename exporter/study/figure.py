"""What all PNG pictures share: images in colour, and files."""

import io
import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch
from exporter.study.palette import Palette, to_rgb

if TYPE_CHECKING:
    # matplotlib is imported where it is used: it takes longer to start than most commands to run.
    from matplotlib.figure import Figure

N_STEPS = 24
"""Levels of brightness from black on: as many as one sees, few enough for small files."""

Colours = npt.NDArray[np.float32]
"""Images in colour, (N, rows, columns, 3) in [0, 1]."""


def image_shape(n_pixels: int) -> tuple[int, int]:
    """Return the rows and columns of an image: of a square, or one row if it is none."""
    side = math.isqrt(n_pixels)
    return (side, side) if side**2 == n_pixels else (1, n_pixels)


def paint_signed(images: Batch, limit: float, palette: Palette) -> Colours:
    """Return images (N, pixels) in the palette's colours: above 0, below 0, and black at 0.

    As bright as the square root of the share of `limit`, so that faint weights are seen too.
    """
    shape = (-1, *image_shape(images.shape[1]), 1)
    strength = np.sqrt(np.abs(images) / max(limit, 1e-12)).reshape(shape)
    positive, negative = to_rgb(palette.positive), to_rgb(palette.negative)
    colours = np.where(images.reshape(shape) > 0, positive, negative)
    return (_step(np.minimum(strength, 1)) * colours).astype(np.float32)


def paint_alone(image: Batch, palette: Palette) -> Colours:
    """Return one signed image (pixels,) in colour, (rows, columns, 3), on a scale of its own."""
    tile: Colours = paint_signed(image[np.newaxis], float(np.abs(image).max()), palette)[0]
    return tile


def paint_ink(images: Batch) -> Colours:
    """Return images (N, pixels) as they are: 0 black, 1 white."""
    shape = (-1, *image_shape(images.shape[1]), 1)
    return np.repeat(_step(np.clip(images, 0, 1)).reshape(shape), 3, axis=3)


def to_png(figure: "Figure", description: str | None = None) -> bytes:
    """Return a figure as a PNG file, whose Description tells what it was drawn from."""
    content = io.BytesIO()
    # Without Software, so that another version of matplotlib doesn't mean another file.
    metadata = {"Software": None, "Description": description}
    figure.savefig(content, format="png", metadata=metadata, pil_kwargs={"optimize": True})
    return content.getvalue()


def _step(brightness: Batch) -> Batch:
    levels: Batch = np.rint(brightness * np.float32(N_STEPS))
    return levels / np.float32(N_STEPS)
