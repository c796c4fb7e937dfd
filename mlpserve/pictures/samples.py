"""Scales samples of more than 8 bits, and floats: files hardly say what white is."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from mlpserve.pictures.arrays import Levels
from mlpserve.pictures.errors import PictureError

TOPS = tuple(float(2**bits - 1) for bits in (1, 8, 10, 12, 14, 16, 24, 31, 32))
"""What white is in integers of so many bits, which floats take over."""

ROUNDING = 1.001
"""So far beyond white a sample may be by rounding."""

MIN_TOP = 0.2
"""Floats that stay below it have another white than 1."""

OUTLIERS = 1e-4
"""So many of a picture's samples may be beyond white, such as a lamp or a damaged pixel."""

TINY = float(np.finfo(np.float32).tiny)

SAMPLE_FORMAT, UNSIGNED = 339, 1
"""TIFF's tag that tells unsigned from signed integers, and its value for the former."""


def scale_samples(picture: Image.Image) -> Levels:
    """Return the levels (rows, columns) of a picture of one channel of integers or floats.

    White is the smallest number of all ones that no sample passes: 1, 255, 1023, 4095, 16383,
    65535 and so on; a picture of 10 bits in 16 is scaled by 1023. Where samples are negative, the
    least is black and the largest is white.

    Raises PictureError when a sample is not a finite number.
    """
    samples = read_samples(picture)
    if not np.isfinite(samples).all():
        raise PictureError("the picture holds numbers that are not finite (NaN or infinity)")
    low, high = (float(end) for end in np.quantile(samples, (OUTLIERS, 1 - OUTLIERS)))
    # A thin stroke is not an outlier: a picture may have few samples that differ.
    if picture.mode != "F" or low == high:
        low, high = float(samples.min()), float(samples.max())
    if low < 0:
        white = max(high - low, TINY)
        return np.asarray((samples - low) / white, np.float32).clip(0, 1)
    tops = [top for top in TOPS if high <= top * ROUNDING]
    white = tops[0] if tops and high >= MIN_TOP else max(high, TINY)
    return np.asarray(samples / white, np.float32).clip(0, 1)


def read_samples(picture: Image.Image) -> npt.NDArray[np.float64]:
    """Return the samples as the file has them."""
    samples = np.asarray(picture)
    # Pillow has no unsigned integers of 32 bits, and takes these for signed ones.
    if picture.mode == "I" and _is_unsigned(picture) and samples.min() < 0:
        samples = samples.astype(np.int32).view(np.uint32)
    return np.asarray(samples, np.float64)


def _is_unsigned(picture: Image.Image) -> bool:
    return isinstance(picture, TiffImageFile) and picture.tag_v2.get(SAMPLE_FORMAT) in (
        None,
        UNSIGNED,
        (UNSIGNED,),
    )
