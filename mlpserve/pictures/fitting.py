"""Lays ink out as a model's images are: how large, and what is in the middle."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from mlpserve.pictures.arrays import Levels
from mlpserve.pictures.resizing import resize


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model's images show what they show.

    `rows` and `columns` of pixels. The ink's longest side is the share `longest_side` of the
    image's; its centre of `mass`, or the middle of its `box`, is at `centre`, as shares of the way
    down and to the right. `ink` is light or dark.

    The defaults are MNIST's (http://yann.lecun.com/exdb/mnist).
    """

    rows: int = 28
    columns: int = 28
    longest_side: float = 20 / 28
    centring: Literal["mass", "box"] = "mass"
    centre: tuple[float, float] = (0.518, 0.518)
    ink: Literal["light", "dark"] = "light"


def fit(levels: Levels, layout: Layout) -> Levels:
    """Return an image (layout.rows, layout.columns) of light ink on black.

    `levels` (rows, columns) are 0 where there is no ink.
    """
    spans = [ends(levels.max(axis=axis)) for axis in (1, 0)]
    length = layout.longest_side * max(layout.rows, layout.columns)
    longest = max(high - low for low, high in spans)
    # Pixels of the picture in one of the image's.
    scale = longest / length
    shape = layout.rows, layout.columns
    starts = []
    for axis, (low, high) in enumerate(spans):
        middle = (low + high) / 2 if layout.centring == "box" else mass_centre(levels, axis)
        start = middle - layout.centre[axis] * shape[axis] * scale
        # All of the ink stays inside.
        starts.append(min(max(start, high - shape[axis] * scale), low))
    sizes = [n * scale for n in shape]
    pads = [
        (max(0, int(np.ceil(-start))) + 1, max(0, int(np.ceil(start + size - n))) + 1)
        for start, size, n in zip(starts, sizes, levels.shape, strict=True)
    ]
    top, left = (start + pad[0] for start, pad in zip(starts, pads, strict=True))
    box = (left, top, left + sizes[1], top + sizes[0])
    method = Image.Resampling.BOX if scale > 3 else Image.Resampling.BICUBIC
    return resize(np.pad(levels, pads), shape, method, box).clip(0, 1)


def ends(profile: Levels) -> tuple[float, float]:
    """Return where a profile begins and ends, in pixels from its start."""
    inked = np.flatnonzero(profile > 0.25)
    return float(inked[0]), float(inked[-1] + 1)


def mass_centre(levels: Levels, axis: int) -> float:
    """Return the centre of mass along an axis, in pixels from its start."""
    mass = levels.sum(axis=1 - axis)
    return float(np.average(np.arange(len(mass)) + 0.5, weights=mass))
