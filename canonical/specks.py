"""Takes specks off images: pixels that are lighter or darker than nearly all around them."""

import numpy as np
import numpy.typing as npt

from canonical.levels import noise
from canonical.squares import Batch

MIN_STEP = np.float32(0.25)
"""By how much a speck differs at least from what is around it, besides the noise."""

NOISE_STEPS = np.float32(2)
"""By how many times the noise a speck differs at least."""

MAX_ALIKE = 2
"""With so many neighbours of its colour a pixel may still be a speck; more make a stroke."""

MIN_SHARE = 0.003
"""Where fewer pixels than that are far from all like them, nothing is done: thin strokes break into
specks, too. Or three times as many that are beside none: much salt lies close.
"""

AROUND = [(down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1)]


def remove_specks(images: Batch) -> Batch:
    """Return images (N, side, side) in which the middle of what is around takes specks' places."""
    step = MIN_STEP + NOISE_STEPS * noise(images)
    speckled = find_speckled(images, step)
    if not speckled.any():
        return images
    some = images[speckled]
    side = images.shape[1]
    around = [surround(some)[:, down : down + side, right : right + side] for down, right in AROUND]
    lower, upper = some - step[speckled], some + step[speckled]
    lighter = np.zeros(some.shape, np.int8)
    darker = np.zeros(some.shape, np.int8)
    for neighbour in around:
        lighter += neighbour > lower
        darker += neighbour < upper
    image, row, column = np.nonzero((lighter <= MAX_ALIKE) | (darker <= MAX_ALIKE))
    values = np.stack([neighbour[image, row, column] for neighbour in around])
    some[image, row, column] = np.median(values, axis=0)
    cleaned = images.copy()
    cleaned[speckled] = some
    return cleaned


def find_speckled(images: Batch, step: Batch) -> npt.NDArray[np.bool_]:
    """Tell which images (N, side, side) have many pixels that differ by a step (N, 1, 1) or more
    from all around them.
    """
    n_images, side, _ = images.shape
    n_alone = np.zeros(n_images, np.int64)
    n_lonely = np.zeros(n_images, np.int64)
    for sign in (np.float32(1), np.float32(-1)):
        signed = sign * images
        wide = surround(signed)
        pairs = np.maximum(wide[:, :, :-2], wide[:, :, 2:])
        triples = np.maximum(pairs, wide[:, :, 1:-1])
        most = np.maximum(triples[:, :-2], triples[:, 2:])
        np.maximum(most, pairs[:, 1:-1], out=most)
        image, row, column = np.nonzero(signed - step > most)
        n_alone += np.bincount(image, minlength=n_images)
        # Of the 25 pixels around, with itself.
        windows = np.lib.stride_tricks.sliding_window_view(surround(signed, 2), (5, 5), (1, 2))
        limits = (signed - step)[image, row, column]
        alike = windows[image, row, column] > limits[:, np.newaxis, np.newaxis]
        n_lonely += np.bincount(image[alike.sum(axis=(1, 2)) == 1], minlength=n_images)
    least = MIN_SHARE * side**2
    found: npt.NDArray[np.bool_] = (n_lonely >= least) | (n_alone >= 3 * least)
    return found


def surround(images: Batch, width: int = 1) -> Batch:
    """Return images (N, side, side) with `width` more pixels like the edge's on all sides."""
    places = np.clip(np.arange(-width, images.shape[1] + width), 0, images.shape[1] - 1)
    return images[:, places[:, np.newaxis], places]
