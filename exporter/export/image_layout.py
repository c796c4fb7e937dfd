"""How the images that a network was trained on are laid out, measured on some of them."""

import math

import numpy as np
import numpy.typing as npt

from canonical import ink
from canonical.background import outline
from canonical.ink import Ink
from exporter.network.network import Batch
from exporter.network.weights_file import Saved
from modelfile.image_layout import MAX_FLATTEST, ImageLayout
from modelfile.input_range import FINITE, PIXELS, InputRange

MIN_SIDE = 5
"""Smaller squares of numbers are hardly images."""

MIN_IMAGES = 5
"""Fewer may be alike by chance."""

MAX_IMAGES = 10_000
"""More say nothing new."""

IN_COMMON = 0.9
"""The share of the images that must show ink, and that of those whose ink must be alike."""

MAX_SPREAD = 0.15
"""Images whose longest sides or centres spread further, by the standard deviation as a share of
the side, are not laid out at all. MNIST's longest sides have 0.01.
"""

FEW = 0.05
"""The share of images that are flatter than `flattest`, which takes `MANY` images to measure."""
MANY = 200

DIGITS = 4


def measure(images: Batch, input_range: InputRange = PIXELS) -> ImageLayout | None:
    """Return the layout of images (N, P) in a range; None if they are not square, or not alike.

    Measured with what canonical mode uses to find ink, so that it puts images where these are.
    """
    side = math.isqrt(images.shape[1])
    if not may_be_images(images.shape[1], input_range):
        return None
    width = np.float32(input_range.high - input_range.low)
    pixels = (images[:MAX_IMAGES] - np.float32(input_range.low)) / width
    squares = np.clip(pixels, 0, 1).astype(np.float32).reshape(-1, side, side)
    # Each counts as plain: what lies around the ink of training images belongs to them.
    drawn = ink.find(squares, (np.ones(len(squares), np.bool_), _have_dark_ink(squares)))
    found = drawn.found
    if np.count_nonzero(found) < max(MIN_IMAGES, IN_COMMON * len(found)):
        return None
    share_dark = float(drawn.inverted[found].mean())
    if max(share_dark, 1 - share_dark) < IN_COMMON:
        return None
    return _measure(drawn, side, share_dark > 0.5)


def may_be_images(n_inputs: int, input_range: InputRange) -> bool:
    """Whether inputs are as many as a square image has pixels, and have a black and a white."""
    side = math.isqrt(n_inputs)
    return side >= MIN_SIDE and side**2 == n_inputs and input_range != FINITE


def of_weights(saved: Saved) -> ImageLayout | None:
    """Return the layout that a weights file says, or else that of its examples."""
    if saved.image_layout is not None or saved.examples is None:
        return saved.image_layout
    return measure(saved.examples, saved.network.input_range)


def _have_dark_ink(squares: Batch) -> npt.NDArray[np.bool_]:
    """Tell of which images (N, side, side) the outline is nearer to the brightest pixel."""
    edges = np.median(outline(squares), axis=1)
    dark: npt.NDArray[np.bool_] = 2 * edges > squares.max(axis=(1, 2)) + squares.min(axis=(1, 2))
    return dark


def _measure(drawn: Ink, side: int, is_dark: bool) -> ImageLayout | None:
    alike = drawn.found & (drawn.inverted == is_dark)
    low, high = drawn.low[alike], drawn.high[alike]
    sizes = (high - low) / side
    longest = sizes.max(axis=1)
    centres = {"mass": drawn.centre[alike] / side, "box": (low + high) / (2 * side)}
    spreads = {name: float(places.std(axis=0).max()) for name, places in centres.items()}
    centring = min(spreads, key=spreads.__getitem__)
    if longest.std() > MAX_SPREAD or spreads[centring] > MAX_SPREAD:
        return None
    flattest = 0.0
    if len(sizes) >= MANY:
        flattest = min(MAX_FLATTEST, float(np.quantile(sizes[:, 0] / sizes[:, 1], FEW)))
    down, right = centres[centring].mean(axis=0).tolist()
    # Rounded, so that the last bits of a machine's sums don't show.
    return ImageLayout(
        side,
        side,
        "dark" if is_dark else "light",
        round(float(longest.mean()), DIGITS),
        "mass" if centring == "mass" else "box",
        (round(down, DIGITS), round(right, DIGITS)),
        round(flattest, DIGITS),
    )
