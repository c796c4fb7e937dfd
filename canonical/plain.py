"""Tells cheaply which images are plain: ink alone on one level, which need no cleaning."""

import numpy as np
import numpy.typing as npt

from canonical.background import outline
from canonical.lines import MARGIN, MIN_FRAME_SIDES, MIN_SIDE
from canonical.lines import MIN_STEP as LINE_STEP
from canonical.specks import MIN_SHARE
from canonical.specks import MIN_STEP as SPECK_STEP
from canonical.squares import Batch

Flags = npt.NDArray[np.bool_]

MIN_CONTRAST = np.float32(0.05)
"""What stands out less from the background is not ink."""

UNEVEN = np.float32(0.03)
"""By how much the outline of a plain image differs at most, as a share of its contrast."""

MAX_COVERED = 0.65
"""The share of a plain image that is not background at most."""


def find_plain(images: Batch) -> tuple[Flags, Flags]:
    """Tell which images (N, side, side) are plain, and of which the ink is darker than its paper.

    Plain images have the same level all along their outline, from which nearly all that differs
    differs in one direction. They have no frame inside, and few pixels that are alone.
    Of other images the second answer means nothing.
    """
    n_images, side, _ = images.shape
    flat = images.reshape(n_images, side**2)
    edges = outline(images)
    level = edges.max(axis=1)
    rise = flat.max(axis=1) - level
    fall = level - flat.min(axis=1)
    # Without ink only the level itself tells.
    is_dark = np.where(rise == fall, level > np.float32(0.5), fall > rise)
    contrast = np.maximum(np.maximum(rise, fall), MIN_CONTRAST)
    uneven = UNEVEN * contrast
    is_plain = (level - edges.min(axis=1) <= uneven) & (np.minimum(rise, fall) <= uneven)

    distances = flat - level[:, np.newaxis]
    np.abs(distances, out=distances)
    is_plain &= (
        count_alone(distances > (SPECK_STEP * contrast)[:, np.newaxis]) < MIN_SHARE * side**2
    )
    step = LINE_STEP * contrast
    is_plain &= ~has_frame(distances.reshape(images.shape), step)
    np.minimum(distances, step[:, np.newaxis], out=distances)
    is_plain &= distances.sum(axis=1) <= np.float32(MAX_COVERED * side**2) * step
    return is_plain, is_dark


def has_frame(distances: Batch, step: Batch) -> Flags:
    """Tell of images, as distances from their level (N, side, side), which may have a frame inside:
    along three lines near the middle, three edges have something near that differs by a step (N,).
    """
    side = distances.shape[1]
    found = np.ones(len(distances), np.bool_)
    if side < MIN_SIDE:
        return ~found
    margin = round(MARGIN * side)
    for place in (side // 2, side * 3 // 8, side * 5 // 8):
        # What is reduced comes first: short last axes are slow.
        near = np.empty((margin, 4, len(distances)), np.float32)
        near[:, 0] = distances[:, :margin, place].T
        near[:, 1] = distances[:, side - margin :, place].T
        near[:, 2] = distances[:, place, :margin].T
        near[:, 3] = distances[:, place, side - margin :].T
        found &= (near.max(axis=0) > step).sum(axis=0) >= MIN_FRAME_SIDES
        if not found.any():
            break
    return found


def count_alone(ink: Flags) -> npt.NDArray[np.intp]:
    """Return how many pixels of masks (N, side^2) have no neighbour, of eight, that is set.

    One image follows the other, and so do rows: what is on the outline counts for nothing.
    """
    n_images, n_pixels = ink.shape
    side = round(n_pixels**0.5)
    flat = ink.reshape(-1)
    beside = np.zeros_like(flat)
    for step in (1, side - 1, side, side + 1):
        beside[step:] |= flat[: flat.size - step]
        beside[: flat.size - step] |= flat[step:]
    alone = np.flatnonzero(flat > beside)
    return np.bincount(alone // n_pixels, minlength=n_images)
