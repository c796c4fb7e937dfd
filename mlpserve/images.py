"""Whatever array a caller has, as the flat pixels that the wire carries."""

import warnings
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mlpserve.errors import InvalidRequest, ScaleWarning
from mlpserve.prediction import Prediction

MIN_SIDE = 8
"""Fewer numbers in a row are hardly an image's: they are features, which may be tiny."""

_FIRST = 1024
_MIN_SHARE = 0.01
"""Of the pixels of a digit some hundredths are bright; of a blank image's, all or next to none."""
_ONES = (
    "images are uint8 of 0 and 1, which stand for pixels of 0 and 1/255: nearly black. Send zeros "
    "and ones as bool, such as images.astype(bool), or multiply them by 255"
)
_DIVIDED_TWICE = (
    "images have no pixel above 1/255: nearly black, as if they had been divided by 255 twice. "
    "Pixels are floats in [0, 1], or uint8 from 0 to 255"
)

Pixels: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
"""Flat pixels: float32, or uint8 where 255 stands for 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The pixels of a batch, image after image, and the shape in which the caller gave them."""

    pixels: Pixels
    shape: tuple[int, ...]

    def may_hold(self, n_images: int) -> bool:
        """Whether the shape can stand for this number of images.

        A two-dimensional array is either one image (rows, columns) or a batch (N, P). Only the
        model knows which, by the number of its pixels, so both counts are right here.
        """
        allowed = {1: (1,), 2: (1, self.shape[0]), 3: (self.shape[0],)}
        return n_images in allowed[len(self.shape)]

    def check(self, prediction: Prediction) -> None:
        """Raise InvalidRequest when the model found another number of images."""
        n_images = len(prediction.labels)
        if n_images == 1 or self.may_hold(n_images):
            return
        raise InvalidRequest(
            f"images has shape {self.shape}, and {prediction.model} {prediction.version} "
            f"finds {n_images} images in it: its images have "
            f"{self.pixels.size // n_images} pixels"
        )


def as_batch(images: npt.ArrayLike) -> Batch:
    """Return the images as flat pixels, row-major.

    Parameters
    ----------
    images
        One image (P,) or (rows, columns), or a batch (N, P) or (N, rows, columns), as an array or
        nested lists: floats, uint8 from 0 to 255, or bool. Only the server knows which floats the
        model takes; it refuses others and says where they are.

    Raises
    ------
    TypeError
        When the numbers are of another type.
    ValueError
        When there are no images, or the shape is another one.
    """
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise ValueError(f"images differ in shape; make them equally large ({error})") from error
    if array.ndim not in (1, 2, 3):
        raise ValueError(
            f"images has shape {array.shape}; wanted is (P,), (rows, columns), (N, P) or "
            "(N, rows, columns): for example images.reshape(N, -1)"
        )
    if array.size == 0:
        raise ValueError(f"images has shape {array.shape}: the batch is empty; send one or more")
    return Batch(_as_pixels(array).reshape(-1), array.shape)


def warn_of_scale(batch: Batch) -> None:
    """Issue a ScaleWarning, at the line that called the caller, for pixels that hardly mean what
    they say.
    """
    if (doubt := doubt_scale(batch)) is not None:
        warnings.warn(doubt, ScaleWarning, stacklevel=3)


def doubt_scale(batch: Batch) -> str | None:
    """Return why the pixels hardly mean what they say, the same words each time; None if nothing
    speaks against them.

    One look at the first of them settles it for nearly all batches. A blank image raises no doubt,
    nor does a dim one among others.
    """
    pixels = batch.pixels
    is_bytes = pixels.dtype == np.uint8
    # Divisions in float32 may round it up.
    level = 1 if is_bytes else 1.000001 / 255
    if np.maximum.reduce(pixels[:_FIRST]) > level:
        return None
    brightest = np.maximum.reduce(pixels)
    # Whatever is NaN is not in between.
    if not 0 < brightest <= level or pixels.min() < 0 or batch.shape[-1] < MIN_SIDE:
        return None
    share = np.count_nonzero(pixels > brightest / 2) / pixels.size
    if not _MIN_SHARE <= share <= 1 - _MIN_SHARE:
        return None
    return _ONES if is_bytes else _DIVIDED_TWICE


def _as_pixels(array: npt.NDArray[np.generic]) -> Pixels:
    """Return the array as float32 or uint8 in the same shape."""
    if array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    if array.dtype == np.float32:
        return array.astype(np.float32, copy=False)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"images has the type {array.dtype}; wanted are floats, uint8 or bool: convert pixels "
            "from 0 to 255 with np.asarray(images, dtype=np.uint8), zeros and ones with "
            "np.asarray(images, dtype=bool), other numbers with "
            "np.asarray(images, dtype=np.float32)"
        )
    # What overflows becomes an infinity, which the server refuses and locates.
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float32, copy=False)
