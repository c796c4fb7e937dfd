"""Takes single pixels away that differ from all around them: salt, pepper and dust."""

import numpy as np
from scipy import ndimage

from mlpserve.pictures.arrays import Colours

OUTLIES = 0.25
"""A speck is further beyond each of its neighbours than this share of the picture's range."""

MIN_SIDE = 16
"""On smaller pictures a single pixel may be a stroke."""

AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.bool_)


def despeckle(picture: Colours) -> Colours:
    """Return the picture (rows, columns, channels), its specks replaced by what is around them."""
    if min(picture.shape[:2]) < MIN_SIDE:
        return picture
    levels = picture.mean(axis=2)
    margin = OUTLIES * float(np.ptp(levels))
    highest = ndimage.maximum_filter(levels, footprint=AROUND, mode="nearest")
    lowest = ndimage.minimum_filter(levels, footprint=AROUND, mode="nearest")
    specks = (levels > highest + margin) | (levels < lowest - margin)
    if not specks.any():
        return picture
    around = ndimage.convolve(picture, AROUND[..., np.newaxis] / np.float32(8), mode="nearest")
    return np.where(specks[..., np.newaxis], around, picture)
