"""Scales and moves images by one matrix along each axis: rows @ image @ columns.T."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from canonical.squares import Batch

Float = TypeVar("Float", np.float32, np.float64)


def axis_maps(centre: Batch, target: Batch, scales: Batch, side: int) -> Batch:
    """Return matrices (..., side, side) that scale one axis and bring `centre` to `target`.

    All arguments have the shape (...); places are in pixels from the middle of the first. Row i
    holds the weights of the old pixels in the new pixel i: Catmull and Rom's cubic, which keeps
    strokes as sharp as they are. Where an image shrinks it is as much wider, so that each old
    pixel counts (Heckbert, Fundamentals of texture mapping, 1989, section 3.4). Beyond the edge is
    black. With scale 1 and without a move it is the unit matrix.
    """
    places = np.arange(side, dtype=np.float32)
    density = np.minimum(scales, np.float32(1))
    sources = (places - target[..., np.newaxis]) / scales[..., np.newaxis] + centre[..., np.newaxis]
    # source * density - place * density, as a product of matrices, which is faster than broadcasts.
    pairs = np.empty((*sources.shape, 2), np.float32)
    pairs[..., 0] = sources * density[..., np.newaxis]
    pairs[..., 1] = density[..., np.newaxis]
    steps = np.ones((2, side), np.float32)
    steps[1] = -places
    weights = catmull_rom(np.matmul(pairs, steps))
    weights *= density[..., np.newaxis, np.newaxis]
    return weights


def catmull_rom(distances: npt.NDArray[Float]) -> npt.NDArray[Float]:
    """Return the weight of a sample at each distance, in samples.

    Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2:
    3/2 |d|^3 - 5/2 |d|^2 + 1 up to 1, -1/2 |d|^3 + 5/2 |d|^2 - 4 |d| + 2 up to 2, then 0. With
    a = max(1 - |d|, 0) and b = max(2 - |d|, 0) both are 1/2 b^2 (b - 1) - a^2 (2 a - 1). Writes
    over its argument.
    """
    b = np.abs(distances, out=distances)
    np.subtract(np.float32(2), b, out=b)
    np.clip(b, 0, 2, out=b)
    a = b - np.float32(1)
    weights = b
    weights *= b
    weights *= a
    weights *= np.float32(0.5)
    np.clip(a, 0, 1, out=a)
    core = a * np.float32(2)
    core -= np.float32(1)
    core *= a
    core *= a
    weights -= core
    return weights
