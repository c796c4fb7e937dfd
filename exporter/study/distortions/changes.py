"""What `evaluate` tests robustness with: the same digits moved, scaled, turned, thick or noisy."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from canonical.squares import side_of
from exporter.network.network import Batch

NOISE_SEED = 0
"""Every evaluation meets the same noise."""

STRAIGHT = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
DIAGONAL = {
    "up and left": (-1, -1),
    "up and right": (-1, 1),
    "down and left": (1, -1),
    "down and right": (1, 1),
}
"""Directions by name, as steps down and to the right."""


def shift(batch: Batch, down: int, right: int) -> Batch:
    """Move images (N, side * side) by whole pixels; what leaves is lost, what enters is black."""
    side = side_of(batch)
    images = batch.reshape(-1, side, side)
    moved = np.zeros_like(images)
    to_rows, from_rows = _overlap(side, down)
    to_columns, from_columns = _overlap(side, right)
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved.reshape(batch.shape)


def scale(batch: Batch, factor: float) -> Batch:
    """Scale images (N, side * side) about their centre; what grows beyond the edge is lost."""
    side = side_of(batch)
    middle = (side - 1) / 2
    positions = (np.arange(side) - middle) / factor + middle
    weights = _tents(positions, side, factor)
    return _resample(batch, weights, weights)


def squeeze(batch: Batch) -> Batch:
    """Halve the height of images (N, side * side) and place them in the bottom half."""
    side = side_of(batch)
    # A pixel's centre is half a pixel from its edges: the bottom edge stays where it is.
    positions = 2 * (np.arange(side) + 0.5 - side / 2) - 0.5
    rows = _tents(positions, side, 0.5)
    rows[: side // 2] = 0
    return _resample(batch, rows, np.eye(side, dtype=np.float32))


def rotate(batch: Batch, degrees: float) -> Batch:
    """Turn images (N, side * side) anticlockwise about their centre, by bilinear interpolation."""
    side = side_of(batch)
    row, column = np.mgrid[:side, :side].reshape(2, -1) - (side - 1) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    from_row = cos * row + sin * column + (side - 1) / 2
    from_column = cos * column - sin * row + (side - 1) / 2
    rows, columns = _tents(from_row, side), _tents(from_column, side)
    weights = rows[:, :, np.newaxis] * columns[:, np.newaxis]
    return _in_range(batch @ weights.reshape(side**2, side**2).T)


def thicken(batch: Batch) -> Batch:
    """Make each pixel the brightest of the 3x3 around it: grey-scale dilation by a square."""
    moved = [shift(batch, down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    thick: Batch = np.maximum.reduce(moved)
    return thick


def thin(batch: Batch) -> Batch:
    """Make each pixel the darkest of itself and its four neighbours: grey-scale erosion."""
    moved = [shift(batch, down, right) for down, right in STRAIGHT.values()]
    eroded: Batch = np.minimum.reduce([batch, *moved])
    return eroded


def add_noise(batch: Batch, deviation: float, seed: int = NOISE_SEED) -> Batch:
    """Add Gaussian noise of a standard deviation to every pixel, and cut it to [0, 1]."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal(batch.shape, dtype=np.float32)
    return _in_range(batch + np.float32(deviation) * noise)


DISTORTIONS: dict[str, Callable[[Batch], Batch]] = {
    "clean": lambda batch: batch,
    **{
        f"shifted {pixels} px {name}": partial(shift, down=pixels * down, right=pixels * right)
        for pixels, directions in ((2, STRAIGHT), (4, STRAIGHT | DIAGONAL))
        for name, (down, right) in directions.items()
    },
    "scaled 0.7": partial(scale, factor=0.7),
    "scaled 1.3": partial(scale, factor=1.3),
    "inverted": lambda batch: np.float32(1) - batch,
    "squeezed into the bottom half": squeeze,
    "rotated 15 degrees": partial(rotate, degrees=15),
    "rotated 30 degrees": partial(rotate, degrees=30),
    "thick": thicken,
    "thin": thin,
    "Gaussian noise 0.2": partial(add_noise, deviation=0.2),
}
"""By name, functions from a batch (N, side * side) in [0, 1] to another, always the same one.

Those that move or compare places raise canonical.NotSquare for images that aren't square.
"""


def _overlap(side: int, distance: int) -> tuple[slice, slice]:
    """Return where pixels go to and come from along one axis when they move by `distance`."""
    distance = min(max(distance, -side), side)
    to, start = slice(max(distance, 0), side + min(distance, 0)), max(-distance, 0)
    return to, slice(start, start + to.stop - to.start)


def _tents(positions: npt.NDArray[np.floating], side: int, factor: float = 1) -> Batch:
    """Return the weights (positions, side) of source pixels for places along one axis.

    Linear interpolation, 1 - |distance|; where images shrink the tent is 1 / factor as wide, so
    that every source pixel counts (Heckbert, Fundamentals of texture mapping, 1989, section 3.4).
    The weights of all places a source could have sum to 1, and beyond the edge is black.
    """
    width = 1 / min(factor, 1)

    def tent(places: npt.NDArray[np.integer]) -> npt.NDArray[np.floating]:
        distances: npt.NDArray[np.floating] = np.abs(positions[:, np.newaxis] - places) / width
        return np.where(distances < 1, 1 - distances, 0)

    reach = np.arange(-math.ceil(width), math.ceil(width) + 1)
    everywhere = np.rint(positions).astype(np.int64)[:, np.newaxis] + reach
    weights: Batch = tent(np.arange(side)) / tent(everywhere).sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def _resample(batch: Batch, rows: Batch, columns: Batch) -> Batch:
    """Return rows @ image @ columns.T of each image, as a batch of the same shape."""
    side = len(rows)
    pixels: Batch = np.matmul(rows, batch.reshape(-1, side, side))
    pixels = pixels @ columns.T
    return _in_range(pixels.reshape(batch.shape))


def _in_range(batch: Batch) -> Batch:
    # Rounding, and noise, may leave [0, 1].
    clipped: Batch = np.clip(batch, np.float32(0), np.float32(1))
    return clipped
