"""Finds the sheet of paper, or the card, that a picture shows with what is around it."""

import math

import numpy as np
from scipy import ndimage

from mlpserve.pictures.arrays import Colours, Mask

MIN_AREA = 0.08
"""A sheet covers at least this share of the picture."""

MIN_FULLNESS = 0.3
"""A sheet covers this share of the upright rectangle around it, whatever its angle and its ink."""

MIN_RECTANGULARITY = 0.88
"""A sheet covers at least this share of the smallest rectangle around it: a disc covers 0.79."""

MAX_ASPECT = 4
"""A sheet is at most so many times as long as wide; else it may be a stroke."""

MIN_HOLES = 0.003
"""What is drawn on a sheet covers at least this share of it."""

ANGLES = np.radians(np.arange(0, 90, 3))


def find_sheet(mask: Mask) -> Mask | None:
    """Return the pixels of the sheet (rows, columns) when what stands out from the picture is one.

    A sheet is a filled rectangle, at any angle, with something on it that is narrower than the
    paper around it.
    """
    labels, count = ndimage.label(mask)
    if not count:
        return None
    number = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    largest = labels == number
    box = ndimage.find_objects(labels, number)[-1]
    if np.count_nonzero(largest) < MIN_FULLNESS * math.prod(part.stop - part.start for part in box):
        return None
    filled = ndimage.binary_fill_holes(largest)
    area = np.count_nonzero(filled)
    if area < MIN_AREA * mask.size or area == mask.size:
        return None
    rectangle, aspect = measure_rectangle(filled)
    if area < MIN_RECTANGULARITY * rectangle or aspect > MAX_ASPECT:
        return None
    holes = filled & ~mask
    if np.count_nonzero(holes) < MIN_HOLES * area:
        return None
    widest = [
        ndimage.distance_transform_edt(np.pad(part, 1)).max() for part in (filled & mask, holes)
    ]
    return np.asarray(filled) if widest[0] > widest[1] else None


def measure_rectangle(filled: Mask) -> tuple[float, float]:
    """Return the area of the smallest rectangle around a region, and its length over its width."""
    edge = filled & ~ndimage.binary_erosion(filled)
    rows, columns = np.nonzero(edge)
    cos, sin = np.cos(ANGLES)[:, np.newaxis], np.sin(ANGLES)[:, np.newaxis]
    lengths = np.ptp(rows * cos + columns * sin, axis=1) + 1
    widths = np.ptp(columns * cos - rows * sin, axis=1) + 1
    areas = lengths * widths
    best = int(areas.argmin())
    sides = sorted((float(lengths[best]), float(widths[best])))
    return float(areas[best]), sides[1] / sides[0]


def extend(picture: Colours, sheet: Mask) -> Colours:
    """Return the part of the picture that holds the sheet, with the sheet's colours around it too.

    Each pixel beyond the sheet takes the colour of the nearest on it, a little away from its edge,
    which is blurred.
    """
    margin = max(1, round(0.012 * max(sheet.shape)))
    core = ndimage.minimum_filter(sheet, 2 * margin + 1, mode="constant")
    if not core.any():
        core = sheet
    rows, columns = (np.flatnonzero(core.any(axis=axis)) for axis in (1, 0))
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part, inside = picture[place], core[place]
    if inside.all():
        return part
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.asarray(part[tuple(nearest)])
