"""The page's brush (server/http/static/js/draw/raster.js) in NumPy: strokes become pixels."""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.drawings.hand import SIDE, Drawing
from harness.drawings.strokes import Points

FACTOR = 10
"""Points of ink along a pixel."""

SOFTNESS = 0.27
"""How much of a brush's radius is its soft edge, on either side."""

LEVELS = 255
"""The page sends pixels as so many levels of grey."""

Pixels = npt.NDArray[np.float32]


def pixels_of(drawings: Sequence[Drawing]) -> Pixels:
    """Return the images (N, 784) that the page makes of drawings."""
    return np.stack([render(drawing) for drawing in drawings])


def render(drawing: Drawing) -> Pixels:
    """Return the pixels (784,) that the page makes of a drawing."""
    ink = np.zeros((SIDE * FACTOR, SIDE * FACTOR))
    for stroke in drawing.strokes:
        for begin, end in zip(stroke, stroke[[*range(1, len(stroke)), -1]], strict=True):
            _stamp(ink, begin, end, drawing.brush / 2)
    pixels = ink.reshape(SIDE, FACTOR, SIDE, FACTOR).mean(axis=(1, 3)).ravel()
    return np.asarray(np.round(LEVELS * pixels) / LEVELS, np.float32)


def _stamp(ink: npt.NDArray[np.float64], begin: Points, end: Points, radius: float) -> None:
    """Ink along a line between two points, in pixels."""
    reach = (1 + SOFTNESS) * radius
    low = np.clip(np.floor((np.minimum(begin, end) - reach) * FACTOR).astype(int), 0, None)
    high = np.ceil((np.maximum(begin, end) + reach) * FACTOR).astype(int)
    window = ink[low[1] : high[1], low[0] : high[0]]
    rows, columns = window.shape
    x = (_centres()[low[0] : low[0] + columns] - begin[0])[np.newaxis, :]
    y = (_centres()[low[1] : low[1] + rows] - begin[1])[:, np.newaxis]
    dx, dy = end - begin
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy or 1), 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    share = np.clip((1 + SOFTNESS - distance / radius) / (2 * SOFTNESS), 0, 1)
    np.maximum(window, share * share * (3 - 2 * share), out=window)


@functools.cache
def _centres() -> npt.NDArray[np.float64]:
    return (np.arange(SIDE * FACTOR) + 0.5) / FACTOR
