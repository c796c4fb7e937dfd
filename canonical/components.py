"""Takes off what reaches in from an edge beside a digit: neighbours that were cut off."""

import numpy as np
import numpy.typing as npt

from canonical.levels import noise
from canonical.squares import Batch

Mask = npt.NDArray[np.bool_]

MIN_SIDE = 14
"""In smaller images digits reach from edge to edge."""

LEVEL = np.float32(0.3)
"""Ink is what is brighter than this share of the brightest pixel, and than the noise."""

NOISE_STEPS = np.float32(2)
"""Levels within this multiple of the noise are not ink."""

MAX_DEPTH = 0.25
"""How far from the edge a neighbour reaches at most, as a share of the side."""

MIN_REST = 1.5
"""How much more ink there is besides a neighbour: otherwise it is the digit."""


def remove_neighbours(light: Batch) -> Batch:
    """Return images (N, side, side) of light ink on black without what hangs on the edges.

    Only what stays near its edge goes, with its soft rim, and only where more ink is left.
    """
    side = light.shape[1]
    if side < MIN_SIDE:
        return light
    peak = light.max(axis=(1, 2), keepdims=True)
    ink = light > LEVEL * peak + NOISE_STEPS * noise(light)
    depth = max(1, round(MAX_DEPTH * side))
    total = ink.sum(axis=(1, 2))
    gone = np.zeros_like(ink)
    for axis, order in ((1, 1), (1, -1), (2, 1), (2, -1)):
        # The edge becomes the first row.
        rotated = (ink if axis == 1 else ink.swapaxes(1, 2))[:, ::order]
        touched = np.flatnonzero(rotated[:, 0].any(axis=1))
        if not len(touched):
            continue
        reached = flood(rotated[touched, : depth + 1])
        area = reached.sum(axis=(1, 2))
        small = ~reached[:, depth].any(axis=1) & (total[touched] - area > MIN_REST * area)
        part = (gone if axis == 1 else gone.swapaxes(1, 2))[:, ::order]
        part[touched[small], :depth] |= reached[small, :depth]
    cut = np.flatnonzero(gone.any(axis=(1, 2)))
    if not len(cut):
        return light
    rest = ink[cut] & ~gone[cut]
    cleaned = light.copy()
    cleaned[cut] *= ~(widen(gone[cut]) & ~rest)
    return cleaned


def flood(ink: Mask) -> Mask:
    """Return what of masks (N, rows, columns) hangs together with their first row, all around."""
    n_images, n_rows, n_columns = ink.shape
    # One row after the other, with gaps between them: sums of places are then steps.
    width = n_columns + 1
    room = np.zeros((n_images, n_rows + 2, width), np.bool_)
    room[:, 1:-1, :n_columns] = ink
    reached = np.zeros_like(room)
    reached[:, 1, :n_columns] = ink[:, 0]
    flat, limits = reached.reshape(-1), room.reshape(-1)
    while True:
        wide = flat.copy()
        wide[1:] |= flat[:-1]
        wide[:-1] |= flat[1:]
        grown = wide.copy()
        grown[width:] |= wide[:-width]
        grown[:-width] |= wide[width:]
        grown &= limits
        if np.array_equal(grown, flat):
            break
        flat = grown
    return flat.reshape(room.shape)[:, 1:-1, :n_columns]


def widen(mask: Mask) -> Mask:
    """Return masks (N, side, side) with the eight neighbours of each pixel."""
    wide = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    rows = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
    grown: Mask = rows[:, :, :-2] | rows[:, :, 1:-1] | rows[:, :, 2:]
    return grown
