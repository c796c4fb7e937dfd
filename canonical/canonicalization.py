"""Canonical mode: every image as the images that the network was trained on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical import ink
from canonical.ink import Flags, Ink
from canonical.plain import MIN_CONTRAST, find_plain
from canonical.resampling import axis_maps
from canonical.squares import Batch, side_of
from modelfile.image_layout import MNIST, ImageLayout

CHUNK = 64
"""Images at a time: what lies between two steps stays in the cache, and its memory is used again.
From 80 on the operating system takes it back each time, which costs a quarter more.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """A normalised batch, and what was done to each of its N images.

    `batch` (N, P) float32 in [0, 1]. `inverted` (N,): the image was of the other polarity, and its
    pixels were inverted. `scales` (N, 2): how many times larger the ink became along the rows
    (its height) and along the columns (its width). `shifts` (N, 2): how many pixels the ink's
    centre, of its mass or of its box as the layout says, was moved down and to the right.
    """

    batch: Batch
    inverted: npt.NDArray[np.bool_]
    scales: Batch
    shifts: Batch

    def write(self, places: slice | npt.NDArray[np.intp], part: "Canonical") -> None:
        """Take over what was done to the images at some places."""
        self.batch[places] = part.batch
        self.inverted[places] = part.inverted
        self.scales[places] = part.scales
        self.shifts[places] = part.shifts


def canonicalize(batch: Batch, layout: ImageLayout | None = MNIST) -> Canonical:
    """Normalise square images (N, P) in [0, 1], each for itself; the argument stays as it is.

    Ink of the other polarity than the layout's is inverted. Lines, frames, specks and neighbours
    are taken off, and the background and its noise subtracted. The ink is cropped, stretched to
    full contrast, scaled until it is as large as the layout's, and moved until its centre is where
    the layout's is, as far as all of it stays inside. Ink that is flatter than the layout's is
    stretched to the same height. An image without ink keeps its scale and its place, and is only
    inverted. Without a layout all stay as they are. Raises NotSquare when P is not a square number.
    """
    side = side_of(batch)
    if layout is None:
        return leave(batch)
    images = batch.reshape(len(batch), side, side)
    if len(batch) <= CHUNK:
        return normalise(images, find_plain(images), layout)
    done = Canonical(
        np.empty(batch.shape, np.float32),
        np.empty(len(batch), np.bool_),
        np.empty((len(batch), 2), np.float32),
        np.empty((len(batch), 2), np.float32),
    )
    # Images that need cleaning come last, together: a few of them in each chunk would cost more.
    dirty: list[int] = []
    for start in range(0, len(batch), CHUNK):
        chunk = slice(start, start + CHUNK)
        plain, is_dark = find_plain(images[chunk])
        if plain.all():
            done.write(chunk, normalise(images[chunk], (plain, is_dark), layout))
            continue
        places = start + np.flatnonzero(plain)
        seen = (plain[plain], is_dark[plain])
        done.write(places, normalise(images[places], seen, layout))
        dirty.extend((start + np.flatnonzero(~plain)).tolist())
    for start in range(0, len(dirty), CHUNK):
        places = np.array(dirty[start : start + CHUNK])
        no = np.zeros(len(places), np.bool_)
        done.write(places, normalise(images[places], (no, no), layout))
    return done


def leave(batch: Batch) -> Canonical:
    """Return images (N, P) to which nothing was done."""
    n_images = len(batch)
    nothing = np.zeros((n_images, 2), np.float32)
    return Canonical(batch.copy(), np.zeros(n_images, np.bool_), nothing + np.float32(1), nothing)


def normalise(images: Batch, seen: tuple[Flags, Flags], layout: ImageLayout) -> Canonical:
    """Normalise images (N, side, side), of which `find_plain` said `seen`, all at once."""
    n_images, side, _ = images.shape
    drawn = ink.find(images, seen)
    centre = drawn.centre
    if layout.centring == "box":
        centre = (drawn.low + drawn.high) * np.float32(0.5)
    scales, target = arrange(drawn, centre, side, layout)
    batch = redraw(images, drawn, centre, scales, target).reshape(n_images, side**2)
    inverted = drawn.inverted
    if layout.ink == "dark":
        np.subtract(np.float32(1), batch, out=batch)
        inverted = ~inverted
    return Canonical(batch, inverted, scales, (target - centre) * drawn.found[:, np.newaxis])


def arrange(drawn: Ink, centre: Batch, side: int, layout: ImageLayout) -> tuple[Batch, Batch]:
    """Return the scales (N, 2), and where the ink's centre (N, 2) goes, (N, 2), in pixels."""
    # Ink is never smaller: this is for images without.
    sizes = np.maximum(drawn.high - drawn.low, np.float32(1))
    length = np.float32(layout.longest_side * side)
    scales = np.repeat(length / sizes.max(axis=1, keepdims=True), 2, axis=1)
    height, width = sizes.T
    np.divide(length, height, out=scales[:, 0], where=height < np.float32(layout.flattest) * width)
    np.copyto(scales, np.float32(1), where=~drawn.found[:, np.newaxis])

    wanted = np.array(layout.centre, np.float32) * np.float32(side)
    start = wanted + scales * (drawn.low - centre)
    # The box ends about a pixel beyond the ink, since it was measured on a smoothed image.
    latest = np.float32(side) - scales * sizes
    inside = np.minimum(np.maximum(start, np.float32(-1)), latest)
    return scales, wanted + inside - start


def redraw(images: Batch, drawn: Ink, centre: Batch, scales: Batch, target: Batch) -> Batch:
    """Return the images (N, side, side) with their ink scaled, moved and at full contrast."""
    maps = axis_maps(centre, target, scales, images.shape[1])
    maps *= drawn.inside[:, :, np.newaxis]
    pixels: Batch = np.matmul(maps[:, 0], drawn.images)
    pixels = np.matmul(pixels, maps[:, 1].swapaxes(1, 2))
    pixels /= np.maximum(drawn.contrast, MIN_CONTRAST)[:, np.newaxis, np.newaxis]
    # The cubic overshoots at sharp edges.
    np.clip(pixels, 0, 1, out=pixels)
    blank = ~drawn.found
    if blank.any():
        inverted = drawn.inverted[blank, np.newaxis, np.newaxis]
        pixels[blank] = np.abs(inverted - images[blank])
    return pixels
