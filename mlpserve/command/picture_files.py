"""Picture files of any size and colour, as the image that a network expects; needs Pillow."""

import warnings
from enum import StrEnum
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

Levels = npt.NDArray[np.float32]
"""A picture (rows, columns) of brightness in [0, 1]."""

MNIST_SIDE = 28
MNIST_BOX = 20
INK_THRESHOLD = 0.2
MIN_CONTRAST = 0.05
_MAX_SIDE = 1024


class Invert(StrEnum):
    """Whether the ink of a picture is dark; `auto` decides by the background."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


class PictureError(ValueError):
    """A file can't be made an image; the message says why."""


def read_picture(
    file: BinaryIO, invert: Invert = Invert.AUTO, side: int = MNIST_SIDE
) -> npt.NDArray[np.float32]:
    """Return a picture as one image (side, side) of light ink on black, in [0, 1].

    A picture that has this size already keeps its pixels. Any other is cropped to its ink, scaled
    so that its longest side is 20/28 of the image's, and moved so that its centre of mass is in
    the middle, as MNIST's digits were (http://yann.lecun.com/exdb/mnist).

    Parameters
    ----------
    file
        Any format that Pillow reads, in colour or not, transparent or not.
    invert
        Whether dark is ink. `auto`: it is when the median of the border is light.
    side
        The number of rows and columns of the model's images.

    Raises
    ------
    PictureError
        When the file is no picture, is damaged or too large, or shows no ink.
    """
    levels = _read_levels(file, side)
    if invert is Invert.YES or (invert is Invert.AUTO and _background(levels) > 0.5):
        levels = 1 - levels
    if levels.shape == (side, side):
        return levels
    return _centre(
        _fit(_stretch_contrast(levels), max(1, round(side * MNIST_BOX / MNIST_SIDE))), side
    )


def _read_levels(file: BinaryIO, side: int) -> Levels:
    """Decode the file to brightness, upright, without transparency and not needlessly large."""
    try:
        with warnings.catch_warnings():
            # Pillow only warns of pictures between one and two times its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                return _to_levels(ImageOps.exif_transpose(picture), side)
    except UnidentifiedImageError as error:
        raise PictureError("not a picture that Pillow can read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(
            f"the picture has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
        ) from error
    except Exception as error:
        # Each of Pillow's formats raises what it comes to, and new ones are added.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"the picture is damaged: {reason}") from error


def _to_levels(picture: Image.Image, side: int) -> Levels:
    if picture.mode.startswith("I"):
        # Converting 16-bit grey to 8 bits would clip instead of scale.
        grey = _shrink(picture.convert("F"), side)
        return (np.asarray(grey, dtype=np.float32) / np.float32(65535)).clip(0, 1)
    if not picture.has_transparency_data:
        return _as_floats(_shrink(picture.convert("L"), side))
    grey = _shrink(picture.convert("RGBA").convert("LA"), side)
    levels, opacity = (_as_floats(channel) for channel in grey.split())
    ink_is_light = np.average(levels, weights=opacity) > 0.5 if opacity.any() else False
    # Behind what is drawn comes the opposite of its colour.
    background = np.float32(0 if ink_is_light else 1)
    return levels * opacity + background * (1 - opacity)


def _shrink(picture: Image.Image, side: int) -> Image.Image:
    """Bound the memory and time that the next steps take."""
    picture.thumbnail((max(side, _MAX_SIDE),) * 2)
    return picture


def _as_floats(channel: Image.Image) -> Levels:
    return np.asarray(channel, dtype=np.float32) / np.float32(255)


def _background(levels: Levels) -> float:
    edges = (levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1])
    return float(np.median(np.concatenate(edges)))


def _stretch_contrast(levels: Levels) -> Levels:
    """Make the background 0 and the strongest ink 1."""
    background = _background(levels)
    contrast = float(levels.max()) - background
    if contrast < MIN_CONTRAST:
        raise PictureError(
            "the picture shows no ink: nothing in it stands out from its border (try --invert)"
        )
    return ((levels - np.float32(background)) / np.float32(contrast)).clip(0, 1)


def _fit(levels: Levels, box: int) -> Levels:
    """Crop to the ink and scale its longest side to `box` pixels."""
    rows, columns = np.nonzero(levels > INK_THRESHOLD)
    ink = levels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = ink.shape
    scale = box / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = Image.fromarray(ink).resize(size, Image.Resampling.LANCZOS)
    # Lanczos overshoots at sharp edges.
    return np.asarray(resized, dtype=np.float32).clip(0, 1)


def _centre(digit: Levels, side: int) -> Levels:
    """Place the digit on black so that its centre of mass is at row and column side / 2, which is
    where the mean of MNIST's is.
    """
    image = np.zeros((side, side), dtype=np.float32)
    top, left = (_offset(digit.sum(axis=1 - axis), digit.shape[axis], side) for axis in (0, 1))
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image


def _offset(mass: Levels, length: int, side: int) -> int:
    """Return where the digit starts along one axis, so that all of it stays inside."""
    centre = float(np.average(np.arange(length), weights=mass))
    return min(max(round(side / 2 - centre), 0), side - length)
