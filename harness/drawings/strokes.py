"""Strokes of a pen as points: lines, curves and arcs."""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Points (N, 2), each right and down from a corner."""


def arc(
    centre: tuple[float, float], radii: tuple[float, float], begin: float, end: float
) -> Points:
    """Return points on an ellipse. Angles are degrees clockwise from the right, as seen."""
    count = max(3, round(abs(end - begin) / 12))
    angles = np.radians(np.linspace(begin, end, count))
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(centre + circle * radii)


def line(*points: tuple[float, float]) -> Points:
    """Return the points of straight lines with corners between them."""
    return np.array(points, dtype=np.float64)


def curve(*points: tuple[float, float]) -> Points:
    """Return points on a smooth curve through the given ones (Catmull and Rom's spline)."""
    given = np.array(points, dtype=np.float64)
    padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, np.newaxis]
    pieces = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate([*pieces, given[-1:]])


def one(*pieces: Points) -> Points:
    """Return one stroke that goes through several pieces."""
    return np.concatenate(pieces)
