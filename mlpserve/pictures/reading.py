"""Picture files of any size, colour and light, as the images that a model expects."""

from enum import StrEnum
from typing import BinaryIO

import numpy as np
from PIL import Image
from scipy import ndimage

from mlpserve.pictures.arrays import Colours, Levels
from mlpserve.pictures.components import find_digit
from mlpserve.pictures.decoding import decode
from mlpserve.pictures.errors import PictureError
from mlpserve.pictures.fitting import Layout, fit
from mlpserve.pictures.lines import find_lines
from mlpserve.pictures.paper import INK_STARTS, find_ink
from mlpserve.pictures.resizing import resize, shrink
from mlpserve.pictures.sheets import extend, find_sheet
from mlpserve.pictures.specks import despeckle
from mlpserve.pictures.strokes import normalise
from mlpserve.pictures.tones import Tones, find_tones

MAX_SIDE = 400
MIN_SIDE = 112


class Invert(StrEnum):
    """Whether the ink of a picture is dark; `auto` decides by what stands out from the paper."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


def read_picture(
    file: BinaryIO, invert: Invert = Invert.AUTO, layout: Layout | None = None
) -> Levels:
    """TODO."""
    layout = layout or Layout()
    colours = decode(file)
    return read_colours(colours, invert, layout)


def read_colours(colours: Colours, invert: Invert, layout: Layout) -> Levels:
    """Return TODO."""
    picture = despeckle(shrink(colours, MAX_SIDE))
    if max(picture.shape[:2]) < MIN_SIDE:
        factor = -(-MIN_SIDE // max(picture.shape[:2]))
        size = picture.shape[0] * factor, picture.shape[1] * factor
        picture = np.stack(
            [
                resize(picture[..., k], size, Image.Resampling.BICUBIC).clip(0, 1)
                for k in range(picture.shape[2])
            ],
            axis=2,
        )
    tones, levels = separate(picture, invert)
    sheet = find_sheet(levels > INK_STARTS)
    if sheet is not None:
        picture = extend(picture, sheet)
        tones, levels = separate(picture, invert)
    ink = levels > INK_STARTS
    ink &= ~find_lines(ink)
    digit = find_digit(ink, levels)
    if not digit.any():
        raise PictureError("the picture shows no ink")
    around = ndimage.maximum_filter(digit, 2 * max(1, len(levels) // 100) + 1)
    levels = np.where(around & ~(ink & ~digit), levels, 0).astype(np.float32)
    image = fit(normalise(levels, digit), layout)
    return np.asarray(image / max(image.max(), 0.5), np.float32).clip(0, 1)


def separate(picture: Colours, invert: Invert) -> tuple[Tones, Levels]:
    """Return TODO."""
    tones = find_tones(picture)
    if invert is not Invert.AUTO:
        tones = Tones(tones.levels, invert is Invert.YES, tones.is_brightness)
    return tones, find_ink(tones)
