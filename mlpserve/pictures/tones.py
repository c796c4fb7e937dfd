"""One brightness for each pixel of a coloured picture, and which side of the paper's is ink."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mlpserve.pictures.arrays import Colours, Levels
from mlpserve.pictures.resizing import resize, shrink

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""

COARSE_SIDE, COARSEST_SIDE = 56, 28
"""Pixels along the longest side of the copy that paper and polarity are judged on."""

WINDOW_SHARE = 0.6
"""Paper is the median of a window of this share of the picture: ink covers less than half."""

EDGE_SHARE = 0.15
"""How far from the edge everything counts in full, as a share of the picture's side."""

GREY_BIAS = 0.02
"""How much brightness counts beside the colours' own spread, so that noise chooses no hue."""


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """A picture (rows, columns) along the colour axis that ink and paper differ most on.

    `dark_ink` tells whether ink is below the paper. `is_brightness` tells whether the axis is one
    of brightness, which light multiplies; otherwise it is one of hue.
    """

    levels: Levels
    dark_ink: bool
    is_brightness: bool


def find_tones(colours: Colours) -> Tones:
    """Find the axis and the polarity of a picture."""
    coarse = shrink(colours, COARSE_SIDE)
    rest = np.asarray(coarse - find_paper(coarse), np.float32)
    axis = np.ones(1, np.float32) if colours.shape[2] == 1 else find_axis(rest)
    levels = colours @ axis
    return Tones(levels, is_below(np.asarray(rest @ axis, np.float32)), bool((axis > -0.1).all()))


def find_paper(coarse: Colours) -> Colours:
    """Return the paper's colour around each pixel: the median of a wide window."""
    coarsest = shrink(coarse, COARSEST_SIDE)
    window = max(3, round(WINDOW_SHARE * max(coarsest.shape[:2])) | 1)
    channels = []
    for k in range(coarse.shape[2]):
        paper = ndimage.median_filter(coarsest[..., k], window, mode="reflect")
        channels.append(resize(paper, coarse.shape[:2], Image.Resampling.BILINEAR))
    return np.stack(channels, axis=2)


def find_axis(rest: Colours) -> npt.NDArray[np.float32]:
    """Return the unit vector along which colours differ most from the paper's; it points to what
    is brighter.
    """
    flat = rest.reshape(-1, 3)
    # The strongest differences count most, so that shades of paper do not.
    weights = np.linalg.norm(flat, axis=1, keepdims=True)
    spread = (flat * weights).T @ flat
    spread += (
        GREY_BIAS * np.trace(spread) * np.outer(LUMINANCE, LUMINANCE) / (LUMINANCE @ LUMINANCE)
    )
    axis = np.linalg.eigh(spread)[1][:, -1].astype(np.float32)
    return -axis if axis @ LUMINANCE < 0 else axis


def is_below(rest: Levels) -> bool:
    """Tell whether ink is darker than the paper, of differences (rows, columns) from the paper.

    What is near an edge counts less: frames, shadows, the desk.
    """
    to_edge = [np.minimum(np.arange(n), n - 1 - np.arange(n)) + 0.5 for n in rest.shape]
    nearest = np.minimum(to_edge[0][:, np.newaxis], to_edge[1])
    weights = np.minimum(1, nearest / (EDGE_SHARE * max(rest.shape)))
    return bool(np.sum(weights * rest * np.abs(rest)) <= 0)
