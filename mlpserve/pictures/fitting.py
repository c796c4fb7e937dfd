"""Lays ink out as a model's images are: how large, and what is in the middle."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mlpserve.models import ImageLayout
from mlpserve.pictures.arrays import Levels
from mlpserve.pictures.resizing import resize

EDGE = 0.25
"""Where a soft edge's ink begins."""

SOFT_PIXELS = 0.5
"""By so many pixels of an image, ink with soft edges is longer than with hard ones."""

MAX_SHRINKING = 3
"""Up to here pixels are interpolated; beyond, their mean is as good."""

CLOSE_SCALE, CLOSE_PIXELS = 0.08, 1.0
"""Ink that is laid out but for so much of its size, and so many pixels, stays where it is."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where an image of a layout lies on a picture: its first row and column, which may be outside,
    and how many of the picture's pixels make one of the image's.
    """

    top: float
    left: float
    scale: float


def arrange(levels: Levels, layout: ImageLayout) -> Arrangement:
    """Find the image's place on levels (rows, columns), which are 0 where there is no ink."""
    spans = [ends(levels.max(axis=axis)) for axis in (1, 0)]
    length = max(layout.longest_side * layout.rows - SOFT_PIXELS, 1)
    scale = max(high - low for low, high in spans) / length
    starts = [0.0, 0.0]
    for axis, (low, high) in enumerate(spans):
        size = (layout.rows, layout.columns)[axis]
        middle = mass_centre(levels, axis) if layout.centring == "mass" else (low + high) / 2
        # The layout counts from the middle of the first pixel.
        start = middle - (layout.centre[axis] * size + 0.5) * scale
        # All of the ink stays inside, where it fits.
        slack = high - size * scale
        starts[axis] = min(max(start, slack), low) if slack < low else start
    return Arrangement(starts[0], starts[1], scale)


def fit(levels: Levels, layout: ImageLayout) -> Levels:
    """Return an image (layout.rows, layout.columns) of light ink on black."""
    place = arrange(levels, layout)
    height, width = layout.rows * place.scale, layout.columns * place.scale
    pads = [
        (max(0, int(np.ceil(-start))) + 1, max(0, int(np.ceil(start + size - length))) + 1)
        for start, size, length in zip(
            (place.top, place.left), (height, width), levels.shape, strict=True
        )
    ]
    top, left = place.top + pads[0][0], place.left + pads[1][0]
    large = place.scale > MAX_SHRINKING
    method = Image.Resampling.BOX if large else Image.Resampling.BICUBIC
    box = (left, top, left + width, top + height)
    image = resize(np.pad(levels, pads), (layout.rows, layout.columns), method, box)
    return np.asarray((image / max(float(image.max()), 0.5)).clip(0, 1), np.float32)


def is_arranged(levels: Levels, layout: ImageLayout) -> bool:
    """Tell whether a picture shows the ink where and as large as the layout has it."""
    place = arrange(levels, layout)
    scale = levels.shape[0] / layout.rows
    close = max(abs(place.top), abs(place.left)) <= CLOSE_PIXELS * scale
    return bool(close and abs(place.scale / scale - 1) <= CLOSE_SCALE)


def ends(profile: Levels) -> tuple[float, float]:
    """Return where a profile begins and ends, in pixels from its start."""
    inked = np.flatnonzero(profile > min(EDGE, float(profile.max()) / 2))
    return float(inked[0]), float(inked[-1] + 1)


def mass_centre(levels: Levels, axis: int) -> float:
    """Return the centre of mass along an axis, in pixels from its start."""
    mass = levels.sum(axis=1 - axis)
    return float(np.average(np.arange(len(mass)) + 0.5, weights=mass))
