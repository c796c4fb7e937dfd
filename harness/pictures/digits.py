"""Draws a digit large: as it is, or its skeleton with a pen of any width."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

Mask = npt.NDArray[np.float32]
"""How much of each pixel (rows, columns) ink covers, in [0, 1]."""

Random = np.random.Generator

_THINNING_SIDE = 140


def enlarge(digit: Mask, side: int) -> Mask:
    """Return a digit (28, 28) at (side, side), with edges about as sharp as ink's."""
    factor = side / digit.shape[0]
    large = _zoom(digit, side, order=3)
    soft = min(1.0, 2 / factor)
    return np.asarray(((large - 0.45) / (0.5 * soft) + 0.5).clip(0, 1), np.float32)


def stroke(digit: Mask, side: int, pen: float) -> Mask:
    """Return a digit's skeleton at (side, side), drawn by a round pen of `pen` pixels' width."""
    skeleton = thin(_zoom(digit, _THINNING_SIDE, order=3) > 0.45)
    # Twice as large, and then halved, which makes the edges soft.
    scale = 2 * side / _THINNING_SIDE
    canvas = Image.new("L", (2 * side, 2 * side))
    drawing = ImageDraw.Draw(canvas)
    width = max(1, round(2 * pen))
    for row, column in np.argwhere(skeleton):
        start = (column + 0.5) * scale, (row + 0.5) * scale
        drawing.circle(start, width / 2, fill=255)
        for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
            if skeleton[row + down, column + right]:
                end = start[0] + right * scale, start[1] + down * scale
                drawing.line((start, end), fill=255, width=width)
    return np.asarray(canvas.reduce(2), np.float32) / np.float32(255)


def thin(ink: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the skeleton of ink (rows, columns), one pixel wide.

    Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984.
    """
    image = np.pad(ink, 1)
    changed = True
    while changed:
        changed = False
        for step in (0, 1):
            around = _neighbours(image)
            count = np.sum(around, axis=0)
            crossings = np.sum(~around & np.roll(around, -1, axis=0), axis=0)
            north, east, south, west = around[0], around[2], around[4], around[6]
            if step == 0:
                free = ~(north & east & south) & ~(east & south & west)
            else:
                free = ~(north & east & west) & ~(north & south & west)
            gone = image & (count >= 2) & (count <= 6) & (crossings == 1) & free
            changed |= bool(gone.any())
            image = image & ~gone
    return image[1:-1, 1:-1]


def place(mask: Mask, shape: tuple[int, int], top: int, left: int) -> Mask:
    """Return an empty page (rows, columns) with the mask on it; what lies beyond it is cut."""
    page = np.zeros(shape, np.float32)
    first_row, first_column = max(top, 0), max(left, 0)
    last_row = min(top + mask.shape[0], shape[0])
    last_column = min(left + mask.shape[1], shape[1])
    page[first_row:last_row, first_column:last_column] = mask[
        first_row - top : last_row - top, first_column - left : last_column - left
    ]
    return page


def _neighbours(image: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the eight neighbours of each pixel, clockwise from the one above."""
    steps = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    return np.stack([np.roll(image, step, axis=(0, 1)) for step in steps])


def _zoom(image: Mask, side: int, **options: Any) -> Mask:
    """Scale a square image, so that its edges stay at the edges."""
    places = (np.arange(side) + 0.5) * image.shape[0] / side - 0.5
    grid = np.meshgrid(places, places, indexing="ij")
    zoomed = ndimage.map_coordinates(image, grid, mode="nearest", **options)
    return np.asarray(zoomed, np.float32)
