"""Canonical mode: every image as the images that the network was trained on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical import ink
from canonical.ink import Ink
from canonical.resampling import axis_maps
from canonical.squares import Batch, side_of

INK_SHARE = np.float32(20.5 / 28)
"""The longest side of a training image's ink, as a share of the image's side.

MNIST's digits are 20 of 28 pixels high or wide (http://yann.lecun.com/exdb/mnist). Measured as
`ink.find` does it, with soft edges, the mean of the training images is 20.5.
"""

CENTRE_SHARE = np.float32(0.5)
"""Where a training image's centre of mass is, as a share of the side: at row and column 14 of 28,
counted from 0 (the mean is 14.00 and 14.01).
"""

FLATTEST = np.float32(0.8)
"""Ink whose height is a smaller share of its width was squeezed: 2.6% of digits are as flat."""

CHUNK = 64
"""Images at a time: what lies between two steps stays in the cache, and its memory is used again.
From 80 on the operating system takes it back each time, which costs a quarter more.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """A normalised batch, and what was done to each of its N images.

    `batch` (N, P) float32 in [0, 1]. `inverted` (N,): the image was dark ink on light, and its
    pixels were inverted. `scales` (N, 2): how many times larger the ink became along the rows
    (its height) and along the columns (its width). `shifts` (N, 2): how many pixels the ink's
    centre of mass was moved down and to the right.
    """

    batch: Batch
    inverted: npt.NDArray[np.bool_]
    scales: Batch
    shifts: Batch


def canonicalize(batch: Batch) -> Canonical:
    """Normalise square images (N, P) in [0, 1], each for itself; the argument stays as it is.

    Dark ink on light is inverted. The background and its noise are subtracted. The ink is
    cropped, stretched to full contrast, scaled until its longest side is `INK_SHARE` of the
    image's, and moved until its centre of mass is at `CENTRE_SHARE`, as far as all of it stays
    inside. Ink that is too flat for a digit is stretched to the same height. An image without ink
    keeps its scale and its place, and is only inverted. Raises NotSquare when P is no square
    number.
    """
    side = side_of(batch)
    if len(batch) <= CHUNK:
        return normalise(batch.reshape(-1, side, side))
    parts = [canonicalize(batch[start : start + CHUNK]) for start in range(0, len(batch), CHUNK)]
    return Canonical(
        np.concatenate([part.batch for part in parts]),
        np.concatenate([part.inverted for part in parts]),
        np.concatenate([part.scales for part in parts]),
        np.concatenate([part.shifts for part in parts]),
    )


def normalise(images: Batch) -> Canonical:
    """Normalise images (N, side, side), all at once."""
    n_images, side, _ = images.shape
    drawn = ink.find(images)
    scales, target = arrange(drawn, side)
    batch = redraw(images, drawn, scales, target).reshape(n_images, side**2)
    shifts = (target - drawn.centre) * drawn.found[:, np.newaxis]
    return Canonical(batch, drawn.inverted, scales, shifts)


def arrange(drawn: Ink, side: int) -> tuple[Batch, Batch]:
    """Return the scales (N, 2), and where the ink's centre of mass goes (N, 2), in pixels."""
    # Ink is never smaller: this is for images without.
    sizes = np.maximum(drawn.high - drawn.low, np.float32(1))
    length = INK_SHARE * np.float32(side)
    scales = np.repeat(length / sizes.max(axis=1, keepdims=True), 2, axis=1)
    height, width = sizes.T
    np.divide(length, height, out=scales[:, 0], where=height < FLATTEST * width)
    np.copyto(scales, np.float32(1), where=~drawn.found[:, np.newaxis])

    centred = CENTRE_SHARE * np.float32(side)
    start = centred + scales * (drawn.low - drawn.centre)
    # The box ends about a pixel beyond the ink, since it was measured on a smoothed image.
    latest = np.float32(side) - scales * sizes
    inside = np.minimum(np.maximum(start, np.float32(-1)), latest)
    return scales, centred + inside - start


def redraw(images: Batch, drawn: Ink, scales: Batch, target: Batch) -> Batch:
    """Return the images (N, side, side) with their ink scaled, moved and at full contrast."""
    maps = axis_maps(drawn.centre, target, scales, images.shape[1])
    maps *= drawn.inside[:, :, np.newaxis]
    pixels: Batch = np.matmul(maps[:, 0], drawn.images)
    pixels = np.matmul(pixels, maps[:, 1].swapaxes(1, 2))
    pixels /= np.maximum(drawn.contrast, ink.MIN_CONTRAST)[:, np.newaxis, np.newaxis]
    # The cubic overshoots at sharp edges.
    np.clip(pixels, 0, 1, out=pixels)
    blank = ~drawn.found
    if blank.any():
        inverted = drawn.inverted[blank, np.newaxis, np.newaxis]
        pixels[blank] = np.abs(inverted - images[blank])
    return pixels
