"""Counts the holes of drawn shapes, many images at once."""

import numpy as np
import numpy.typing as npt

from canonical.squares import side_of
from exporter.network.network import Batch

Ink = npt.NDArray[np.bool_]
"""Square images (N, side, side) of ink (true) and background."""

Counts = npt.NDArray[np.int64]

INK_THRESHOLD = 0.5
"""A pixel above this is ink."""


def euler_number(ink: Ink) -> Counts:
    """Return the pieces of ink minus their holes (N,), ink joined over corners too.

    Gray, Local properties of binary images in two dimensions, 1971: of all 2x2 quads, those with
    one pixel of ink, with three, and with two on a diagonal give (Q1 - Q3 - 2 Qd) / 4.
    """
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    corner, opposite = padded[:, :-1, :-1], padded[:, 1:, 1:]
    filled = np.stack([corner, padded[:, :-1, 1:], padded[:, 1:, :-1], opposite]).sum(axis=0)
    one, three = (np.sum(filled == count, axis=(1, 2)) for count in (1, 3))
    diagonal = np.sum((filled == 2) & (corner == opposite), axis=(1, 2))
    numbers: Counts = (one - three - 2 * diagonal) // 4
    return numbers


def fill_holes(ink: Ink) -> Ink:
    """Return the ink and all background that can't be reached from outside.

    Background is joined over sides alone: otherwise it would leak through the corners that join
    ink.
    """
    free = np.pad(~ink, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    outside = np.zeros_like(free)
    outside[:, [0, -1]] = outside[:, :, [0, -1]] = True
    reached, before = int(outside.sum()), 0
    while reached > before:
        outside[:, 1:] |= outside[:, :-1] & free[:, 1:]
        outside[:, :-1] |= outside[:, 1:] & free[:, :-1]
        outside[:, :, 1:] |= outside[:, :, :-1] & free[:, :, 1:]
        outside[:, :, :-1] |= outside[:, :, 1:] & free[:, :, :-1]
        reached, before = int(outside.sum()), reached
    return ~outside[:, 1:-1, 1:-1]


def count_holes(images: Batch, threshold: float = INK_THRESHOLD) -> Counts:
    """Return the holes (N,) in the ink of square images (N, pixels).

    Filling a hole raises the Euler number by one, so the holes are what filling all of them adds;
    an island of ink within a hole takes one away. Raises canonical.NotSquare for images
    that aren't square.
    """
    side = side_of(images)
    ink = images.reshape(-1, side, side) > threshold
    return euler_number(fill_holes(ink)) - euler_number(ink)
