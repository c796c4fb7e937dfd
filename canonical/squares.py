"""Square images: how many pixels they have along each side."""

import math

import numpy as np
import numpy.typing as npt

Batch = npt.NDArray[np.float32]
"""Images (N, side * side) of pixels in [0, 1], or float32 numbers about them."""


class NotSquare(ValueError):
    """Images whose pixels make no square; the message says how many they have."""


def side_of(batch: Batch) -> int:
    """Return the number of rows, which is that of columns, of a batch (N, P) of square images.

    Raises NotSquare when P is not a square number.
    """
    n_pixels = batch.shape[1] if batch.ndim == 2 else 0
    side = math.isqrt(n_pixels)
    if not side or side**2 != n_pixels:
        raise NotSquare(
            f"batch: shape {batch.shape}, wanted (N, P) with a square number P of pixels, "
            "such as 784 for 28 x 28"
        )
    return side
