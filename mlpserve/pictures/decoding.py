"""Decodes picture files of any format that Pillow reads, or says why that can't be done."""

import warnings
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mlpserve.pictures.arrays import Colours
from mlpserve.pictures.errors import NO_PICTURE, TOO_MUCH_MEMORY, PictureError
from mlpserve.pictures.opacity import reveal
from mlpserve.pictures.samples import scale_samples

ENOUGH = 800
"""Pictures are read at a fraction of their size as long as their longest side keeps so many
pixels."""


def decode(file: BinaryIO, formats: tuple[str, ...] | None = None) -> Colours:
    """Return the first picture in a file, upright, opaque and not needlessly large.

    `formats` are Pillow's names of those that are read, all of them if None.

    Raises PictureError when the file is not a picture, is damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            # What Pillow warns of is either harmless or an error too, but for this.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=formats) as picture:
                # Formats that can, such as JPEG, then decode a fraction of the pixels.
                picture.draft(None, (ENOUGH, ENOUGH))
                picture.load()
                ImageOps.exif_transpose(picture, in_place=True)
                colours = to_colours(picture)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(NO_PICTURE) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(
            f"the picture has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
        ) from error
    except MemoryError as error:
        raise PictureError(TOO_MUCH_MEMORY) from error
    except Exception as error:
        # Each of Pillow's formats raises what it comes to, and new ones are added.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"the picture is damaged: {reason}") from error
    return colours


def to_colours(picture: Image.Image) -> Colours:
    """Return a decoded picture's colours."""
    if not all(picture.size):
        raise PictureError("the picture has no pixels")
    if picture.mode.startswith("I") or picture.mode == "F":
        return scale_samples(picture)[..., np.newaxis]
    # Raw memory, which the last of a mode's bytes may leave unused, is nothing to convert.
    if picture.mode == "LAB":
        return as_floats(reduce(picture.getchannel(0)))
    if picture.has_transparency_data:
        # Multiplied with the opacity, hidden colours don't bleed into what is seen.
        reduced = reduce(convert(picture, "RGBA").convert("RGBa")).convert("RGBA")
        channels = as_floats(reduced)
        return reveal(channels[..., :3], channels[..., 3])
    is_grey = picture.mode in ("1", "L")
    return as_floats(reduce(convert(picture, "L" if is_grey else "RGB")))


def convert(picture: Image.Image, mode: str) -> Image.Image:
    """Return a picture in a mode; itself if that is its own, which may be large."""
    return picture if picture.mode == mode else picture.convert(mode)


def reduce(picture: Image.Image) -> Image.Image:
    """Return a picture smaller by a whole number, if that leaves enough of it."""
    factor = max(picture.size) // ENOUGH
    return picture.reduce(factor) if factor > 1 else picture


def as_floats(picture: Image.Image) -> Colours:
    """Return the channels (rows, columns, n) of an 8-bit picture, in [0, 1]."""
    levels = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return levels[..., np.newaxis] if levels.ndim == 2 else levels
