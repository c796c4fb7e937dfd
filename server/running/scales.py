"""Tells the caller of a refused request what its numbers look like, and how to make pixels of them.

Guesses from few numbers, and only for requests that are refused.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelfile.input_range import PIXELS, InputRange

MAX_NUMBERS = 1 << 14
"""How many numbers are examined, whatever the request's size."""

_LEVELS, _LEVELS_16 = 255, 65_535
_MNIST_MEAN, _MNIST_DEVIATION = 0.1307, 0.3081
_TOLERANCE, _WHITE_TOLERANCE = 0.001, 0.2
"""Of its black, which each image has, and of its white, which not every digit reaches."""
_NEAR = (-0.2, 1.5)
"""Where resizing and sharpening leave pixels."""
_DEVIATIONS, _MAX_MEAN = (0.5, 3.0), 2.0
"""Of standardised images: one of them alone, or other data's mean, give no exact 1 and 0."""
_MIN_SHARE = 0.01
_CENTRED = ((1.0, "[-1, 1]", "send (x + 1) / 2"), (0.5, "[-0.5, 0.5]", "send x + 0.5"))


@dataclass(frozen=True, slots=True)
class Look:
    """What numbers look like, and how they become pixels."""

    words: str
    remedy: str


def explain_scale(
    images: npt.NDArray[np.generic], image: int, pixel: int, input_range: InputRange
) -> str:
    """Return the remedy for images (N, pixels), of which this pixel is outside of the range."""
    value = float(images[image, pixel])
    look = None
    if math.isfinite(value):
        n_images = max(1, MAX_NUMBERS // images.shape[1])
        numbers = images[image : image + n_images].reshape(-1)[:MAX_NUMBERS].astype(np.float64)
        look = _guess(numbers[np.isfinite(numbers)], value)
    if input_range != PIXELS:
        return f"prepare them as for training{f'; {look.words}' if look else ''}"
    if look is not None:
        return f"{look.words}: {look.remedy}"
    return "0 is black, 1 is white" + ("; dividing by zero gives NaN" if math.isnan(value) else "")


def _guess(numbers: npt.NDArray[np.float64], value: float) -> Look | None:
    """Return what finite numbers look like; `value` is a refused one among them."""
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0:
        return _guess_levels(high)
    if _NEAR[0] <= low and high <= _NEAR[1] and np.mean(numbers < 0) < 0.5:
        return _clip()
    if np.mean(numbers < 0) < _MIN_SHARE:
        # A digit on black has more than that below its mean: these are strays.
        return _guess_levels(high) if value > 1 else None
    return _guess_centred(low, high) or _guess_standardised(numbers, low, high)


def _guess_levels(high: float) -> Look | None:
    if high <= _NEAR[1]:
        return _clip()
    if high <= _LEVELS * (1 + 1e-6):
        return Look("looks like 0..255", "divide by 255 or send uint8")
    if high <= _LEVELS_16 * (1 + 1e-6):
        return Look(
            "looks like more than 8 bits",
            "divide by the largest possible level, such as 1023, 4095 or 65535",
        )
    return None


def _clip() -> Look:
    return Look("looks like overshoot of resizing", "clip it, as with np.clip(images, 0, 1)")


def _guess_centred(low: float, high: float) -> Look | None:
    """Return the look of numbers from -a to a, of which a dark background has the lowest."""
    for bound, words, remedy in _CENTRED:
        slack = 0.01 * bound
        if -bound - slack <= low <= -0.9 * bound and (0 < high <= bound + slack or low == high):
            return Look(f"looks like {words}", remedy)
    if -128 <= low < -20 and high <= 128:
        return Look("looks like -128..127", "send (x + 128) / 255")
    return None


def _guess_standardised(numbers: npt.NDArray[np.float64], low: float, high: float) -> Look | None:
    """Return the look of numbers from which a mean was subtracted, before a deviation divided them.

    What MNIST's own constants make of 0 and 1 is well known: -0.4242 and 2.8215.
    """
    black, white = ((level - _MNIST_MEAN) / _MNIST_DEVIATION for level in (0, 1))
    if abs(low - black) < _TOLERANCE and abs(high - white) < _WHITE_TOLERANCE:
        return Look(
            "looks standardised by MNIST's mean and deviation",
            f"send pixels in [0, 1], x * {_MNIST_DEVIATION} + {_MNIST_MEAN}",
        )
    mean, deviation = float(numbers.mean()), float(numbers.std())
    if abs(mean) <= _MAX_MEAN and _DEVIATIONS[0] <= deviation <= _DEVIATIONS[1]:
        return Look(
            f"looks standardised, with mean {mean:.2g} and deviation {deviation:.2g}",
            "send pixels in [0, 1], as they were before",
        )
    return None
