"""Cleans images whose background is more than one level: what is left is light ink on black."""

import numpy as np
import numpy.typing as npt

from canonical.background import find_level, fit_surface, has_shadow, open_wide, outline
from canonical.components import remove_neighbours
from canonical.lines import remove_lines
from canonical.specks import remove_specks
from canonical.squares import Batch

STEPPED = np.float32(0.7)
"""Light falls in steps when the outline is so much cleaner without the surface."""

DARKEST = np.float32(0.25)
"""How dark paper may be, as a share of its brightest place, for ink to become as dark there."""


def clean(images: Batch) -> tuple[Batch, npt.NDArray[np.bool_]]:
    """Return images (N, side, side) as light ink on black, and which ones had dark ink (N,).

    Takes off lines, frames and specks, then the background, then neighbours.
    """
    images = remove_specks(remove_lines(images))
    level, flat = find_level(images)
    flat &= ~has_shadow(images, level)
    light = images - level[:, np.newaxis, np.newaxis]
    is_dark = is_dark_ink(light)
    light *= sign_of(is_dark)
    if not flat.all():
        uneven = ~flat
        light[uneven], is_dark[uneven] = flatten(images[uneven])
    np.clip(light, 0, 1, out=light)
    return remove_neighbours(light), is_dark


def flatten(images: Batch) -> tuple[Batch, npt.NDArray[np.bool_]]:
    """Return images (N, side, side) of uneven light as light ink on black, and which were dark."""
    background = fit_surface(images)
    light = images - background
    is_dark = is_dark_ink(light)
    sign = sign_of(is_dark)
    light *= sign
    light -= open_wide(light)
    opened = open_wide(images * sign)
    stepped = images * sign - opened
    in_steps = outline(stepped).mean(axis=1) < STEPPED * outline(light).mean(axis=1)
    light[in_steps] = stepped[in_steps]
    background[in_steps] = (opened * sign)[in_steps]
    # Paper in the shade makes ink on it fainter by as much.
    brightest = background.max(axis=(1, 2), keepdims=True)
    shade = np.maximum(background, DARKEST * brightest) / np.maximum(brightest, 1e-6)
    np.divide(light, shade, out=light, where=(is_dark & (brightest[:, 0, 0] > 0))[:, None, None])
    return light, is_dark


def is_dark_ink(rises: Batch) -> npt.NDArray[np.bool_]:
    """Tell of which images, as rises above their background (N, side, side), the ink is darker."""
    flat = rises.reshape(len(rises), -1)
    dark: npt.NDArray[np.bool_] = (flat * np.abs(flat)).sum(axis=1) < 0
    return dark


def sign_of(is_dark: npt.NDArray[np.bool_]) -> Batch:
    """Return -1 for dark ink and 1 for light, (N, 1, 1)."""
    return np.where(is_dark, np.float32(-1), np.float32(1))[:, np.newaxis, np.newaxis]
