"""Picture files of any size, colour and light, as the images that a model expects."""

from dataclasses import replace
from enum import StrEnum
from typing import BinaryIO

import numpy as np
from PIL import Image
from scipy import ndimage

from mlpserve.models import ImageLayout
from mlpserve.pictures.arrays import Colours, Levels, Mask
from mlpserve.pictures.components import find_digit
from mlpserve.pictures.decoding import decode
from mlpserve.pictures.errors import TOO_MUCH_MEMORY, PictureError
from mlpserve.pictures.fitting import fit, is_arranged
from mlpserve.pictures.lines import find_lines
from mlpserve.pictures.paper import INK_STARTS, MIN_CONTRAST, NO_INK, find_ink
from mlpserve.pictures.resizing import enlarge, resize, shrink
from mlpserve.pictures.sheets import extend, find_sheet
from mlpserve.pictures.specks import despeckle
from mlpserve.pictures.strokes import normalise
from mlpserve.pictures.tones import LUMINANCE, Tones, find_tones

MIN_SIDE, MAX_SIDE = 112, 400
"""Pixels along a picture's longest side while it is looked at: enough for strokes to have a shape,
and few enough to be quick."""

SMALL_SIDE = 14
"""Digits fill images of fewer rows or columns: paper can't be told from ink, nor pieces apart."""

SHEET_STARTS = 0.15
"""A sheet may differ less from the desk than from its own ink, as a share of full ink."""

MAX_BESIDE = 0.08
"""Of a clean image's ink, this share may lie beside the digit: grey at its edges."""

PAPER_SHARE = 0.2
"""At least this share of an image is paper."""

CLEAN = 0.02
"""A clean image has black or white paper, and hardly any ink but the digit's: as shares."""


class Invert(StrEnum):
    """Whether the ink of a picture is dark; `auto` decides by what stands out from the paper."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


def read_picture(
    file: BinaryIO,
    shape: tuple[int, int],
    layout: ImageLayout | None,
    invert: Invert = Invert.AUTO,
    formats: tuple[str, ...] | None = None,
) -> Levels:
    """Return a picture as an image of pixels in [0, 1], laid out as a model's images are.

    The paper and everything but the digit, such as lines, frames, shadows, specks and neighbours,
    are removed; the ink is brought to full contrast, its strokes to a width that models know, and
    both are laid out. A clean picture with its ink in place is only resized, if need be.

    Parameters
    ----------
    file
        Any format that Pillow reads, in colour or not, transparent or not.
    shape
        The rows and columns of the image.
    layout
        How the model's images are laid out, whatever their number of pixels is. None when that is
        not known: the picture is only made grey and resized.
    invert
        Whether the ink is dark. `auto` without a layout: the picture keeps its brightness.
    formats
        Pillow's names of the formats that are read, such as PNG; all that it reads if None.

    Raises
    ------
    PictureError
        When the file is not a picture, is damaged or too large, or shows no ink.
    """
    try:
        return to_image(decode(file, formats), shape, layout, invert)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(TOO_MUCH_MEMORY) from error
    except Exception as error:
        # Whatever a picture comes up with, others are to be read.
        raise PictureError(f"can't be read: {type(error).__name__}: {error}") from error


def to_image(
    colours: Colours, shape: tuple[int, int], layout: ImageLayout | None, invert: Invert
) -> Levels:
    """Return a decoded picture as an image; see `read_picture`."""
    if layout is None:
        return squeeze(colours, shape, invert)
    image = lay_out(colours, replace(layout, rows=shape[0], columns=shape[1]), invert)
    return 1 - image if layout.ink == "dark" else image


def squeeze(colours: Colours, shape: tuple[int, int], invert: Invert) -> Levels:
    """Return a picture in grey, resized to a shape."""
    levels = to_grey(colours)
    larger = levels.shape[0] < shape[0] or levels.shape[1] < shape[1]
    image = resize(levels, shape, Image.Resampling.BICUBIC if larger else Image.Resampling.BOX)
    image = image.clip(0, 1)
    return 1 - image if invert is Invert.YES else image


def lay_out(colours: Colours, layout: ImageLayout, invert: Invert) -> Levels:
    """Return an image of light ink on black, laid out."""
    shape = layout.rows, layout.columns
    if colours.shape[:2] == shape and min(shape) < SMALL_SIDE:
        return stretch(to_grey(colours), invert)
    picture = enlarge(despeckle(shrink(colours, MAX_SIDE)), MIN_SIDE)
    tones, levels = separate(picture, invert)
    sheet = find_sheet(levels > INK_STARTS)
    if sheet is None:
        sheet = find_sheet(levels > SHEET_STARTS)
    if sheet is not None:
        tones, levels = separate(extend(picture, sheet), invert)
    digit, others = choose(levels)
    reach = 2 * max(1, len(levels) // 100) + 1
    around = ndimage.maximum_filter(digit, reach) & ~others
    only = np.where(around, levels, 0).astype(np.float32)
    if colours.shape[0] * shape[1] == colours.shape[1] * shape[0] and sheet is None:
        same = squeeze(colours, shape, Invert.YES if tones.dark_ink else Invert.NO)
        if is_clean(same, resize(only, shape)) and is_arranged(only, layout):
            return same
    return fit(normalise(only, digit), layout)


def stretch(levels: Levels, invert: Invert) -> Levels:
    """Return a small image of light ink on black and full contrast, its ink where it was."""
    low, high = float(levels.min()), float(levels.max())
    if high - low < MIN_CONTRAST:
        raise PictureError(NO_INK)
    levels = (levels - low) / (high - low)
    outline = np.concatenate([levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]])
    is_dark = np.median(outline) > 0.5 if invert is Invert.AUTO else invert is Invert.YES
    return np.asarray(1 - levels if is_dark else levels, np.float32)


def separate(picture: Colours, invert: Invert) -> tuple[Tones, Levels]:
    """Return a picture's tones, and how much ink each of its pixels holds."""
    tones = find_tones(picture)
    if invert is not Invert.AUTO:
        tones = Tones(tones.levels, invert is Invert.YES, tones.is_brightness)
    return tones, find_ink(tones)


def choose(levels: Levels) -> tuple[Mask, Mask]:
    """Return which pixels (rows, columns) are the digit's ink, and which are other ink."""
    ink = levels > INK_STARTS
    lines = find_lines(ink)
    # Ink that is nothing but lines may be a digit after all, such as a bare stroke.
    rest = ink & ~lines if (ink & ~lines).any() else ink
    digit = find_digit(rest, levels)
    if not digit.any():
        raise PictureError("the picture shows no ink, only lines and what its edges cut")
    return digit, ink & ~digit


def is_clean(image: Levels, digit: Levels) -> bool:
    """Tell whether an image has full contrast, and no more on it than the digit."""
    beside = image[digit < CLEAN]
    return bool(
        np.quantile(image, PAPER_SHARE) <= CLEAN
        and image.max() > 1 - 10 * CLEAN
        and beside.sum() <= MAX_BESIDE * image.sum()
    )


def to_grey(colours: Colours) -> Levels:
    """Return the brightness (rows, columns) of colours."""
    return colours[..., 0] if colours.shape[2] == 1 else colours @ LUMINANCE
