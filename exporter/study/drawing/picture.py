"""Makes the image that a network looks at of a picture file: grey, resized, laid out as its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

import canonical
from exporter.errors import ExporterError
from exporter.files import READ_ERRORS
from exporter.network.network import Batch, Network
from exporter.study.drawing.columns import input_shape
from modelfile.image_layout import ImageLayout
from modelfile.input_range import FINITE

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Pillow's names of what is read: nothing that another program would have to open."""

MAX_PIXELS = 50_000_000

MIN_CONTRAST = 0.02
"""Between the darkest and the brightest pixel of an image."""

DEPTHS = (1, 255, 1023, 4095, 16383, 65535)
"""What is white in pictures of numbers that are larger than bytes, or no whole ones."""

CLOSE_SCALE, CLOSE_PIXELS, CLOSE_LEVELS = 0.1, 1.5, 0.08
"""An image that laying out would change by no more than this stays as it is: of its ink's size, of
its place, and of its pixels' brightness on average.
"""


class PictureError(ExporterError):
    """A picture can't be used; the message names the file, why, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The image (n_inputs,) that a picture became, and what was done to it, in words."""

    image: Batch
    changes: tuple[str, ...]


def read_picture(path: Path, network: Network, layout: ImageLayout | None) -> Picture:
    """Return a picture file as the network's image.

    Where a layout says how the network's images are, dark ink on light paper is inverted (or the
    other way around) and the ink is scaled and moved to its place, unless it is there. Raises
    PictureError, OSError when the file can't be opened.
    """
    shape = input_shape(network, layout)
    if shape[0] * shape[1] != network.n_inputs or 1 in shape or network.input_range == FINITE:
        raise PictureError(
            f"{path}: pictures need a network that takes images, but this one takes "
            f"{network.n_inputs} {network.input_range.describe('numbers')}; draw one of its "
            "examples with --example"
        )
    grey, size = _read_grey(path)
    changes = [f"{size[0]} x {size[1]} pixels"]
    levels = _resize(grey, shape)
    if float(np.ptp(levels)) < MIN_CONTRAST:
        raise PictureError(f"{path} shows no ink: it is of one grey; draw darker, or larger")
    if size != shape[::-1]:
        changes.append(f"resized to {shape[1]} x {shape[0]}")
    if layout is None or shape[0] != shape[1]:
        return _scaled(levels, network, changes)
    done = canonical.canonicalize(levels.reshape(1, -1), layout)
    laid_out = done.batch.reshape(shape)
    scale, (down, right) = float(done.scales.max()), done.shifts[0].tolist()
    if (
        abs(scale - 1) < CLOSE_SCALE
        and max(abs(down), abs(right)) < CLOSE_PIXELS
        and float(np.abs(laid_out - levels).mean()) < CLOSE_LEVELS
    ):
        return _scaled(levels, network, [*changes, "its ink is in its place"])
    if done.inverted[0]:
        changes.append("inverted")
    changes.append(f"its ink scaled by {scale:.2f} and moved {_direction(down, right)}")
    return _scaled(laid_out, network, changes)


def _read_grey(path: Path) -> tuple[Image.Image, tuple[int, int]]:
    """Return a picture in grey, as float32 in [0, 1], and its width and height."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise PictureError(
                    f"{path} has {picture.width} x {picture.height} pixels; make it smaller, up to "
                    f"{MAX_PIXELS:,} pixels"
                )
            upright = ImageOps.exif_transpose(picture)
            upright.load()
    except UnidentifiedImageError as error:
        raise PictureError(f"{path} is not a picture; save it as PNG or JPEG") from error
    except (PictureError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except READ_ERRORS as error:
        raise PictureError(f"{path} can't be read: {error}; save it as PNG or JPEG") from error
    if upright.mode[0] in "IF":
        numbers = np.nan_to_num(np.asarray(upright, np.float32), posinf=0, neginf=0).clip(0)
        top = next((top for top in DEPTHS if numbers.max() <= top), float(numbers.max()))
        return Image.fromarray(numbers / np.float32(top)), upright.size
    coloured = upright.convert("RGBA")
    alpha = np.asarray(coloured.getchannel("A"), np.float32) / 255
    grey = np.asarray(coloured.convert("RGB").convert("L"), np.float32) / 255
    # Transparent paper: white below dark ink, black below light ink.
    ink = float((grey * alpha).sum() / max(float(alpha.sum()), 1e-6))
    ground = np.float32(1 if ink < 0.5 else 0)
    return Image.fromarray(grey * alpha + ground * (1 - alpha)), coloured.size


def _resize(grey: Image.Image, shape: tuple[int, int]) -> Batch:
    """Return a picture in rows and columns; beside one of other proportions its outline's grey."""
    rows, columns = shape
    width, height = grey.size
    longest = max(width / columns, height / rows)
    size = max(width, round(longest * columns)), max(height, round(longest * rows))
    if size != grey.size:
        pixels = np.asarray(grey)
        outline = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        ground = Image.new("F", size, float(np.median(outline)))
        ground.paste(grey, ((size[0] - width) // 2, (size[1] - height) // 2))
        grey = ground
    smaller = columns < size[0]
    how = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
    return np.asarray(grey.resize((columns, rows), how), np.float32).clip(0, 1)


def _scaled(levels: Batch, network: Network, changes: list[str]) -> Picture:
    return Picture(network.input_range.at(levels.reshape(-1)), tuple(changes))


def _direction(down: float, right: float) -> str:
    vertical = f"{abs(down):.1f} pixels {'down' if down > 0 else 'up'}"
    return f"{vertical} and {abs(right):.1f} {'right' if right > 0 else 'left'}"
