"""What a transparent picture shows: a page with its own ink, or ink alone."""

import numpy as np

from mlpserve.pictures.arrays import Colours, Levels
from mlpserve.pictures.sheets import extend

OPAQUE = 0.9
"""Pixels that are less opaque belong to shadows and soft edges."""

MIN_PAGE = 0.6
"""A page covers at least this share of the rectangle around it; a disc covers 0.79."""

MIN_SPREAD = 0.03
"""A page with ink on it has colours that deviate at least so much."""


def reveal(colours: Colours, opacity: Levels) -> Colours:
    """Return an opaque picture of a transparent one (rows, columns).

    When what is opaque is a page, with more than one colour on it, the page goes on behind what is
    transparent. Otherwise the opacity itself is what is drawn, as bright as the ink is: light ink
    on black, or dark ink on white.
    """
    solid = opacity >= OPAQUE * opacity.max()
    if not opacity.any():
        return np.zeros((*opacity.shape, 1), np.float32)
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    drawn = colours[solid]
    if np.count_nonzero(solid) >= MIN_PAGE * box and drawn.std(axis=0).max() > MIN_SPREAD:
        return extend(colours, solid)
    light = drawn.mean() > 0.5
    shape = opacity / opacity.max()
    return np.asarray(shape if light else 1 - shape, np.float32)[..., np.newaxis]
