"""Tells cheaply which images are plain: ink alone on one level, which need no cleaning."""

import numpy as np
import numpy.typing as npt

from canonical.lines import MARGIN, MIN_FRAME_SIDES
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


def find_plain(images: Batch, sides: Batch) -> tuple[Flags, Flags]:
    """Tell which images (N, side, side) are plain, and of which the ink is darker than its paper.

    Plain images have the same level all along their `sides` (N, 4, side), from which nearly all
    that differs differs in one direction. They have no frame inside, and few pixels that are alone.
    Of other images the second answer means nothing.
    """
    n_images, side, _ = images.shape
    flat = images.reshape(n_images, side**2)
    edges = sides.reshape(n_images, 4 * side)
    level = edges.max(axis=1)
    rise = flat.max(axis=1) - level
    fall = level - flat.min(axis=1)
    # Without ink only the level itself tells.
    is_dark = np.where(rise == fall, level > np.float32(0.5), fall > rise)
    contrast = np.maximum(np.maximum(rise, fall), MIN_CONTRAST)
    uneven = UNEVEN * contrast
    is_plain = (level - edges.min(axis=1) <= uneven) & (np.minimum(rise, fall) <= uneven)

    distances = np.abs(flat - level[:, np.newaxis])
    step = (LINE_STEP * contrast)[:, np.newaxis]
    covered = np.minimum(distances, step).sum(axis=1)
    is_plain &= covered <= np.float32(MAX_COVERED * side**2) * step[:, 0]
    is_plain &= ~has_frame(distances.reshape(images.shape) > step[:, :, np.newaxis])
    is_plain &= count_alone(distances > (SPECK_STEP * contrast)[:, np.newaxis]) < MIN_SHARE * side**2
    return is_plain, is_dark


def has_frame(ink: Flags) -> Flags:
    """Tell of ink on images (N, side, side) which may have a frame inside: along the lines through
    the middle there is ink near the edges.
    """
    side = ink.shape[1]
    margin = round(MARGIN * side)
    middles = np.stack([ink[:, side // 2], ink[:, :, side // 2]], axis=1)
    first = middles[:, :, :margin].any(axis=2).sum(axis=1)
    last = middles[:, :, side - margin :].any(axis=2).sum(axis=1)
    found: Flags = first + last >= MIN_FRAME_SIDES
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
