"""Takes the paper away: what is left of a picture is its ink, in [0, 1]."""

import math

import numpy as np
from scipy import ndimage

from mlpserve.pictures.arrays import Levels
from mlpserve.pictures.errors import PictureError
from mlpserve.pictures.tones import Tones

WIDEST_STROKE = 0.4
"""Paper is what is left of a picture when strokes of up to this share of its sides are filled."""

MAX_CUT_SHARE = 0.9
"""A stroke that an edge cuts is shorter than this share of the edge."""

DARKEST_PAPER = 0.08
"""Below it, light is no longer divided by."""

MIN_CONTRAST = 0.05
"""Ink stands out from the paper by at least this much."""

NO_INK = "the picture shows no ink: nothing in it stands out from its paper (try --invert)"

INK_STARTS = 0.42
"""The share of full ink from which on a pixel is ink."""

NOISE_SHARE = 0.05
"""How much noise may be left, as a share of the contrast."""


def find_ink(tones: Tones) -> Levels:
    """Return how much ink (rows, columns) each pixel holds, in [0, 1]: 0 is paper.

    The paper's brightness around each pixel is what grey closing (of dark ink) or opening makes of
    the picture (Serra, Image analysis and mathematical morphology, 1982): strokes are filled from
    their sides, while shadows and the edges of the paper, which are wider, stay as they are. A
    strip along the picture's edge counts as endless.

    Raises PictureError when nothing stands out.
    """
    levels = tones.levels if tones.dark_ink else -tones.levels
    levels = smooth(levels)
    window = max(3, round(WIDEST_STROKE * max(levels.shape)) | 1)
    paper = close(levels, window)
    ink = paper - levels
    if tones.dark_ink and tones.is_brightness:
        ink /= np.maximum(paper, DARKEST_PAPER)
    return stretch(ink)


def close(levels: Levels, window: int) -> Levels:
    """Return a picture whose dark strokes are filled, if narrower than the window."""
    pad = window
    padded = np.pad(surround(levels), pad - 1, mode="edge")
    closed = ndimage.minimum_filter(ndimage.maximum_filter(padded, window), window)
    return np.asarray(closed[pad:-pad, pad:-pad])


def surround(levels: Levels) -> Levels:
    """Return a picture with a border of one pixel: its edges, without the strokes that they cut.

    What is dark along a whole edge, or up to a corner, is dark beyond it too.
    """
    bordered = np.pad(levels, 1, mode="edge")
    for rows in (bordered, bordered.T):
        for outer, inner in ((0, 1), (-1, -2)):
            edge = rows[inner, 1:-1]
            window = round(MAX_CUT_SHARE * len(edge)) | 1
            wide = np.pad(edge, window, mode="edge")
            closed = ndimage.minimum_filter1d(ndimage.maximum_filter1d(wide, window), window)
            rows[outer, 1:-1] = closed[window:-window]
    return bordered


def smooth(levels: Levels) -> Levels:
    """Smooth a noisy or dithered picture, as much as its noise asks for."""
    deviation = measure_noise(levels)
    contrast = float(np.percentile(levels, 99.5) - np.percentile(levels, 0.5))
    allowed = NOISE_SHARE * contrast
    if deviation <= allowed or contrast <= 0:
        return levels
    # White noise of deviation s becomes s / (2 b sqrt(pi)) by a Gaussian of b pixels.
    blur = min(deviation / allowed / (2 * math.sqrt(math.pi)), 0.012 * max(levels.shape))
    return np.asarray(ndimage.gaussian_filter(levels, max(blur, 0.6)))


def measure_noise(levels: Levels) -> float:
    """Return the standard deviation of the noise, from what no plane through 3 x 3 pixels holds.

    Immerkaer, Fast noise variance estimation, 1996; with a quantile for the mean, so that strokes
    don't count.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    bent = np.abs(ndimage.convolve(levels, kernel))
    # 1.15 deviations hold three quarters of a normal distribution; the kernel's norm is 6.
    return float(np.percentile(bent, 75)) / (1.15 * 6)


def stretch(ink: Levels) -> Levels:
    """Bring paper to 0 and full ink to 1."""
    top = float(np.percentile(ink, 99.9)) if ink.size > 5000 else float(ink.max())
    top = max(top, 0.5 * float(ink.max()))
    floor = float(np.median(ink[ink < 0.5 * top])) if top > 0 else 0.0
    if top - floor < MIN_CONTRAST:
        raise PictureError(NO_INK)
    strong = ink[ink > floor + 0.5 * (top - floor)]
    full = float(np.percentile(strong, 60))
    return np.asarray(((ink - floor) / (full - floor)).clip(0, 1), np.float32)
