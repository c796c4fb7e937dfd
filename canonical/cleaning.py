"""Cleans images whose background is more than one level: what is left is light ink on black."""

import numpy as np
import numpy.typing as npt

from canonical.background import ALIKE, find_level, fit_surface, has_shadow, open_wide, outline
from canonical.levels import noise
from canonical.lines import remove_lines
from canonical.plain import MIN_CONTRAST
from canonical.specks import remove_specks
from canonical.squares import Batch

Flags = npt.NDArray[np.bool_]

TINY = np.finfo(np.float32).tiny

MISFIT_NOISE = np.float32(1.5)
"""Three quarters of the outline differ less from a surface that fits, in units of the noise."""

DARKEST = np.float32(0.25)
"""How dark paper may be, as a share of its brightest place, for ink to become as dark there."""


def clean(images: Batch) -> tuple[Batch, Flags]:
    """Return images (N, side, side) as light ink on black, and which ones had dark ink (N,).

    Takes off lines, frames and specks, then the background. Before, images are stretched to the
    full range, so that faint ink on grey is treated as black on white; it comes out as faint as it
    was.
    """
    lowest = images.min(axis=(1, 2), keepdims=True)
    stretch = np.maximum(images.max(axis=(1, 2), keepdims=True) - lowest, MIN_CONTRAST)
    images = remove_specks(remove_lines((images - lowest) / stretch))
    level, flat = find_level(images)
    uneven = np.flatnonzero(~flat | has_shadow(images, level))
    light = images - level[:, np.newaxis, np.newaxis]
    is_dark = is_dark_ink(light)
    light *= sign_of(is_dark)
    if len(uneven):
        black = -lowest[uneven] / stretch[uneven]
        light[uneven], is_dark[uneven] = flatten(images[uneven], black)
    np.clip(light, 0, 1, out=light)
    return light * stretch, is_dark


def flatten(images: Batch, black: Batch) -> tuple[Batch, Flags]:
    """Return images (N, side, side) of uneven light as light ink on black, and which were dark.

    `black` (N, 1, 1) is the level of no light, 0 or less.
    """
    surface = fit_surface(images)
    light = images - surface
    is_dark = is_dark_ink(light)
    off = np.sort(np.abs(outline(light)), axis=1)
    light *= sign_of(is_dark)
    misfit = off[:, off.shape[1] * 3 // 4] - MISFIT_NOISE * noise(images)[:, 0, 0]
    stepped = np.flatnonzero(misfit > ALIKE)
    if len(stepped):
        sign = sign_of(is_dark[stepped])
        rises = images[stepped] * sign
        shadows = open_wide(rises)
        light[stepped] = rises - shadows
        surface[stepped] = shadows * sign
    # Ink on paper in the shade is fainter by as much as the paper is darker.
    paper = surface - black
    brightest = paper.max(axis=(1, 2), keepdims=True)
    shade = np.maximum(paper, DARKEST * brightest) / np.maximum(brightest, TINY)
    np.divide(light, shade, out=light, where=is_dark[:, np.newaxis, np.newaxis] & (shade > 0))
    return light, is_dark


def is_dark_ink(rises: Batch) -> Flags:
    """Tell of which images, as rises above their background (N, side, side), the ink is darker."""
    flat = rises.reshape(len(rises), -1)
    dark: Flags = (flat * np.abs(flat)).sum(axis=1) < 0
    return dark


def sign_of(is_dark: Flags) -> Batch:
    """Return -1 for dark ink and 1 for light, (N, 1, 1)."""
    return np.where(is_dark, np.float32(-1), np.float32(1))[:, np.newaxis, np.newaxis]
