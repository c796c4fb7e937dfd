"""Chooses the digit among the pieces of ink: no specks, frames or neighbours."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mlpserve.pictures.arrays import Levels, Mask

SPECK_SHARE = 0.012
"""Pieces of less ink than this share of the largest are specks."""

CROWD, CROWD_SHARE = 8, 0.1
"""Among more than so many pieces of less than this share, all of them are specks."""

NEAR_SHARE = 0.18
"""Pieces further from the digit than this share of its longest side do not belong to it."""

EDGE_BAND = 0.08
"""What lies as near to an edge, as a share of the picture's side, belongs to what is beyond it."""

FRAME_SHARE = 0.85
"""A frame has this share of its ink along its own outer edges."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The connected pieces of ink: labels (rows, columns) from 1; boxes (N, 4) as top, left,
    bottom and right, the latter two exclusive; masses (N,) of ink; whether they touch an edge.
    """

    labels: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int64]
    masses: npt.NDArray[np.float64]
    at_edge: npt.NDArray[np.bool_]


def find_digit(ink: Mask, levels: Levels) -> Mask:
    """Return the pieces of ink that make the digit."""
    pieces = find_pieces(ink, levels)
    if not len(pieces.masses):
        return ink
    able = np.array([not is_frame(pieces, index) for index in range(len(pieces.masses))])
    masses = np.where(able, pieces.masses, 0)
    # A neighbour that an edge cuts is not a digit as long as there is another.
    inside = np.where(pieces.at_edge, 0, masses)
    whole = inside if inside.max() > 0.12 * masses.max() else masses
    main = int(np.argmax(whole * centrality(pieces, ink.shape)))
    crowd = np.count_nonzero(masses < CROWD_SHARE * masses[main])
    able &= masses >= (CROWD_SHARE if crowd > CROWD else SPECK_SHARE) * masses[main]
    if not pieces.at_edge[main]:
        able &= ~pieces.at_edge
    kept = grow(pieces, main, able)
    return np.isin(pieces.labels, np.flatnonzero(kept) + 1)


def find_pieces(ink: Mask, levels: Levels) -> Pieces:
    """Label the pieces of ink."""
    labels, count = ndimage.label(ink, np.ones((3, 3)))
    places = ndimage.find_objects(labels)
    boxes = np.array(
        [(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in places],
        np.int64,
    ).reshape(-1, 4)
    masses = np.asarray(np.bincount(labels.ravel(), levels.ravel(), count + 1)[1:], np.float64)
    band = max(1, round(EDGE_BAND * max(ink.shape)))
    touches = (boxes[:, :2] <= 0) | (boxes[:, 2:] >= ink.shape)
    beside = (boxes[:, 2:] <= band) | (boxes[:, :2] >= np.array(ink.shape) - band)
    at_edge = (touches | beside).any(axis=1)
    return Pieces(labels, boxes, masses, at_edge)


def centrality(pieces: Pieces, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return a weight for each piece, which is larger in the middle of the picture."""
    middles = (pieces.boxes[:, :2] + pieces.boxes[:, 2:]) / (2 * np.array(shape[:2]))
    return np.asarray(1.3 - np.abs(middles - 0.5).max(axis=1))


def is_frame(pieces: Pieces, index: int) -> bool:
    """Tell whether a piece is a box around others: all of its ink is along its own edges."""
    top, left, bottom, right = pieces.boxes[index]
    height, width = bottom - top, right - left
    if min(height, width) < 12:
        return False
    inside = pieces.boxes[:, :2] > (top, left)
    beyond = pieces.boxes[:, 2:] < (bottom, right)
    held = inside.all(axis=1) & beyond.all(axis=1)
    if not held.any() or pieces.masses[held].max() < 0.1 * pieces.masses[index]:
        return False
    part = pieces.labels[top:bottom, left:right] == index + 1
    margin = max(1, round(0.06 * min(height, width)))
    core = np.count_nonzero(part[margin:-margin, margin:-margin])
    return bool(core < (1 - FRAME_SHARE) * np.count_nonzero(part))


def grow(pieces: Pieces, main: int, able: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which pieces are near the main one, or near those that are."""
    kept = np.zeros(len(able), np.bool_)
    kept[main] = True
    for _ in range(4):
        low = pieces.boxes[kept, :2].min(axis=0)
        high = pieces.boxes[kept, 2:].max(axis=0)
        reach = NEAR_SHARE * (high - low).max()
        apart = np.maximum(pieces.boxes[:, :2] - high, low - pieces.boxes[:, 2:]).max(axis=1)
        new = able & (apart <= reach)
        new[main] = True
        if (new == kept).all():
            break
        kept = new
    return kept
