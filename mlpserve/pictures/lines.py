"""Takes ruled lines, squares and boxes away, also where they cross the digit."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mlpserve.pictures.arrays import Mask

LINE_SPAN = 0.75
"""A line crosses at least this share of the picture: a stroke of a digit is shorter."""

RUN_SHARE = 0.07
"""Pieces of lines are at least this long, as a share of the picture's side."""

MIN_COVERED = 0.35
"""The digit hides the rest of a line at most, as a share of the picture's side."""

MIN_ROW = 0.5
"""A row of pixels that belongs to a line holds it over this share of the picture's side."""

MAX_GAP = 0.65
"""The longest piece of a line that is hidden, as a share of the picture's side."""

MAX_TILT = 0.06
"""How far a line may fall or rise, as a share of its length."""

WIDEST_LINE = 0.045
"""Lines are at most this wide, as a share of the picture's side."""


def find_lines(ink: Mask) -> Mask:
    """Return which pixels of ink belong to lines along the rows or the columns, and to no stroke
    that crosses them.
    """
    along_rows, height = _find_horizontal(ink)
    transposed, width = _find_horizontal(ink.T)
    along_columns = transposed.T
    rest = ink & ~along_rows & ~along_columns
    crossed = along_rows & close(rest, (2 * height + 3, 1))
    crossed |= along_columns & close(rest, (1, 2 * width + 3))
    return (along_rows | along_columns) & ~crossed


def _find_horizontal(ink: Mask) -> tuple[Mask, int]:
    """Return the pixels of lines along the rows, and the height in pixels of the highest."""
    rows, columns = ink.shape
    widest = max(1.0, WIDEST_LINE * max(rows, columns))
    runs = run_lengths(close(ink, (1, 3))) >= max(5, round(RUN_SHARE * columns))
    heights = run_lengths(runs.T).T
    runs &= heights <= widest
    if np.count_nonzero(runs.any(axis=0)) < MIN_COVERED * columns:
        return np.zeros_like(ink), 0
    # Where strokes cross a line, it goes on behind them.
    labels, _ = ndimage.label(close(runs, (3, round(MAX_GAP * columns) | 1)), np.ones((3, 3)))
    lines = np.zeros_like(ink)
    highest = 0
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        down, across = (part.stop - part.start for part in place)
        line = runs[place] & (labels[place] == number)
        if down > MAX_TILT * columns + widest:
            # Several lines, which a stroke of the digit joins.
            line &= (np.count_nonzero(line, axis=1) >= MIN_ROW * columns)[:, np.newaxis]
        covered = np.count_nonzero(line.any(axis=0))
        if across >= LINE_SPAN * columns and covered >= MIN_COVERED * columns:
            lines[place] |= line & ink[place]
            highest = max(highest, int(np.median(heights[place][line])))
    return lines, highest


def close(mask: Mask, size: tuple[int, int]) -> Mask:
    """Close gaps (rows, columns) narrower than a size; beyond the edges is nothing."""
    pads = [(length, length) for length in size]
    padded = np.pad(mask.astype(np.uint8), pads)
    closed = ndimage.minimum_filter(ndimage.maximum_filter(padded, size), size)
    inner = tuple(slice(pad[0], -pad[1]) for pad in pads)
    return np.asarray(closed[inner], np.bool_)


def run_lengths(mask: Mask) -> npt.NDArray[np.intp]:
    """Return how long the run along the row is that each pixel of the mask lies in; 0 outside."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    lengths = np.zeros(mask.shape, np.intp)
    if len(starts):
        marks = np.zeros((mask.shape[0], mask.shape[1] + 1), np.intp)
        np.add.at(marks, (rows, starts), ends - starts)
        np.add.at(marks, (rows, ends), starts - ends)
        lengths = np.cumsum(marks, axis=1)[:, :-1]
    return lengths
