"""Whatever array a caller has, as the pixels that the wire carries."""

import sys
import warnings
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlpserve.errors import InvalidRequest, ScaleWarning
from mlpserve.prediction import Prediction
from mlpserve.remedies import Remedy
from mlpserve.shapes import TEXT, explain_object, explain_shape

MIN_SIDE = 8
"""Fewer numbers in a row are hardly an image's: they are features, which may be tiny."""

_PACKAGE = f"{__name__.partition('.')[0]}."
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
"""Pixels in the shape in which the caller gave them: float32, or uint8 where 255 stands for 1."""

_MAX_DIMENSIONS = 3
# The byte of a float32 that tells its sign and size, and the value of that byte from 0.5 to 2.
_HIGH_PLACE = 3 if sys.byteorder == "little" else 0
_HALF_TO_TWO = 0x3F
_WHITE = 0xFF


def as_pixels(images: object) -> Pixels:
    """Return the images as pixels in the same shape.

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
    array = images if type(images) is np.ndarray else _as_array(images)
    if not 1 <= array.ndim <= _MAX_DIMENSIONS:
        name = "images" if type(images) is np.ndarray else "np.asarray(images)"
        hint = explain_shape(array.shape, array.dtype == np.uint8, name)
        raise ValueError(
            f"images has shape {array.shape}; wanted (P,), (rows, columns), (N, P) or "
            f"(N, rows, columns): {hint or 'for example images.reshape(N, -1)'}"
        )
    if not array.size:
        raise ValueError(f"images has shape {array.shape}: the batch is empty; send one or more")
    if array.dtype.char in "fB" and array.dtype.isnative:
        return array
    return _convert(array)


def check_count(pixels: Pixels, prediction: Prediction) -> None:
    """Raise InvalidRequest when the model found a number of images that the shape can't have.

    A two-dimensional array is either one image (rows, columns) or a batch (N, P). Only the model
    knows which, by the number of its pixels, so both counts are right there.
    """
    shape, n_images = pixels.shape, len(prediction.labels)
    if n_images == (1 if len(shape) == 1 else shape[0]) or (n_images == 1 and len(shape) == 2):
        return
    n_pixels = pixels.size // n_images
    hint = explain_shape(shape, pixels.dtype == np.uint8) or f"send (N, {n_pixels})"
    if len(shape) == 2 and shape[0] == n_pixels:
        hint = "it looks transposed: send images.T"
    raise InvalidRequest(
        f"images has shape {shape}, and {prediction.model} {prediction.version} finds {n_images} "
        f"image{'s' if n_images > 1 else ''} in it: its images have {n_pixels} pixels; {hint}"
    )


def explain_size(error: InvalidRequest, pixels: Pixels) -> None:
    """Add to an error the shape of the images, and what that tells, when the server finds no whole
    number of images in them, of which it has the numbers alone.
    """
    if any(violation.reason == "PIXEL_COUNT" for violation in error.violations):
        hint = explain_shape(pixels.shape, pixels.dtype == np.uint8)
        error.remedy = Remedy.same(f"images has shape {pixels.shape}{hint and ': '}{hint}")


def warn_of_scale(pixels: Pixels) -> None:
    """Issue a ScaleWarning for pixels that hardly mean what they say."""
    if (doubt := doubt_scale(pixels)) is not None:
        warn_of(doubt)


def is_bright(request: bytes, pixels: Pixels) -> bool:
    """Return whether a request, which ends with these pixels, shows at once that one of the first
    is bright, so that their scale is not to be doubted.

    Searching bytes that are there anyway costs a tenth of what NumPy takes, whose code has left the
    caches since the last call.
    """
    begin = len(request) - pixels.nbytes
    if pixels.dtype.char == "B":
        return request.find(_WHITE, begin, begin + _FIRST) >= 0
    place = request.find(_HALF_TO_TWO, begin + _HIGH_PLACE, begin + 4 * _FIRST)
    return place >= 0 and (place - begin) % 4 == _HIGH_PLACE


def warn_of(doubt: str) -> None:
    """Issue a ScaleWarning at the line that called this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(doubt, ScaleWarning, stacklevel=level)


def doubt_scale(pixels: Pixels) -> str | None:
    """Return why the pixels hardly mean what they say, the same words each time; None if nothing
    speaks against them.

    One look at the first of them settles it for nearly all batches. A blank image raises no doubt,
    nor does a dim one among others.
    """
    # Searching bytes costs a tenth of what NumPy takes, whose code has left the caches since the
    # last call.
    few = pixels.size <= _FIRST
    content = (pixels if few else pixels[: 1 + _FIRST * len(pixels) // pixels.size]).tobytes()
    if pixels.dtype.char == "B":
        is_bright = bool(content.lstrip(b"\0\1"))
    else:
        place = content.find(_HALF_TO_TWO)
        while place >= 0 and place % 4 != _HIGH_PLACE:
            place = content.find(_HALF_TO_TWO, place + 1)
        is_bright = place >= 0
    return None if is_bright else _doubt_dark(pixels)


def _doubt_dark(pixels: Pixels) -> str | None:
    """Return it of pixels none of which is seen at once to be bright."""
    is_bytes = pixels.dtype.char == "B"
    # Divisions in float32 may round it up.
    level = 1 if is_bytes else 1.000001 / 255
    brightest = pixels.max()
    # Whatever is NaN is not in between.
    if not 0 < brightest <= level or pixels.min() < 0 or pixels.shape[-1] < MIN_SIDE:
        return None
    share = np.count_nonzero(pixels > brightest / 2) / pixels.size
    if not _MIN_SHARE <= share <= 1 - _MIN_SHARE:
        return None
    return _ONES if is_bytes else _DIVIDED_TWICE


def _as_array(images: object) -> npt.NDArray[Any]:
    if fault := explain_object(images):
        raise TypeError(fault)
    try:
        return np.asarray(images)
    except ValueError as error:
        raise ValueError(f"images differ in shape; make them equally large ({error})") from error


def _convert(array: npt.NDArray[np.generic]) -> Pixels:
    """Return the array as float32 or uint8 in the same shape."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind in "US":
        raise TypeError(TEXT)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"images has the type {array.dtype}; wanted floats, uint8 or bool: convert pixels "
            "from 0 to 255 with np.asarray(images, dtype=np.uint8), zeros and ones with "
            "np.asarray(images, dtype=bool), other numbers with np.asarray(images, "
            "dtype=np.float32)"
        )
    # What overflows becomes an infinity, which the server refuses and locates.
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float32, copy=False)
