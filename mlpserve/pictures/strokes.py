"""Makes strokes as wide as those of the images that models learn from."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mlpserve.pictures.arrays import Levels, Mask

THINNEST, WIDEST = 0.1, 0.17
"""The width of strokes as a share of the digit's longest side: about 12 and 92% of MNIST's training
images are thinner.
"""

HOLE_SHARE = 0.0085
"""Half the width of holes in ink that are not the digit's, as a share of its longest side."""


def measure_depths(ink: Mask) -> npt.NDArray[np.float64]:
    """Return how far each pixel of ink is from the paper, but for holes of chalk and noise."""
    size = 2 * round(HOLE_SHARE * measure_length(ink)) + 1
    padded = np.pad(ink.astype(np.uint8), size)
    whole = ndimage.minimum_filter(ndimage.maximum_filter(padded, size), size) > 0
    depths: npt.NDArray[np.float64] = ndimage.distance_transform_edt(whole)
    return depths[size:-size, size:-size]


def measure_width(distance: npt.NDArray[np.float64]) -> float:
    """Return the width of strokes in pixels: twice the ridge of the distances to the paper."""
    ridge = (distance == ndimage.maximum_filter(distance, 3)) & (distance > 0)
    return float(2 * np.median(distance[ridge]) - 1) if ridge.any() else 0.0


def measure_length(ink: Mask) -> int:
    """Return the longest side of the box around ink, in pixels."""
    return max(int(np.ptp(np.flatnonzero(ink.any(axis=axis)))) + 1 for axis in (0, 1))


def normalise(levels: Levels, ink: Mask) -> Levels:
    """Return levels of ink whose strokes are neither thinner nor wider than models know."""
    longest = measure_length(ink)
    depths = measure_depths(ink)
    width = measure_width(depths)
    wanted = min(max(width, THINNEST * longest), WIDEST * longest)
    # Where strokes are thinner than most, some of them is to be left.
    change = max((wanted - width) / 2, -width / 4)
    if abs(change) < 0.1 * width or abs(change) < 0.5:
        return levels
    if change > 0:
        away = ndimage.distance_transform_edt(~ink)
        return np.asarray(np.maximum(levels, (change + 0.5 - away).clip(0, 1)), np.float32)
    return np.asarray(np.minimum(levels, (depths + change + 0.5).clip(0, 1)), np.float32)
