"""A picture of many images: a row for each digit."""

import numpy as np
import numpy.typing as npt

from harness.drawings.hand import SIDE
from harness.drawings.raster import Pixels

MARK, GAP = 230, 40
"""Greys of the frame around images that are read wrong, and around others."""


def make_sheet(
    pixels: Pixels, digits: npt.NDArray[np.int64], is_wrong: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Return levels of grey (rows, columns), with a bright frame around images read wrong."""
    most = int(np.bincount(digits).max())
    cell = SIDE + 2
    sheet = np.zeros(((int(digits.max()) + 1) * cell, most * cell), np.uint8)
    for digit in range(int(digits.max()) + 1):
        for column, number in enumerate(np.flatnonzero(digits == digit)):
            top, left = digit * cell, column * cell
            sheet[top : top + cell, left : left + cell] = MARK if is_wrong[number] else GAP
            image = np.round(255 * pixels[number]).reshape(SIDE, SIDE)
            sheet[top + 1 : top + 1 + SIDE, left + 1 : left + 1 + SIDE] = image
    return sheet
