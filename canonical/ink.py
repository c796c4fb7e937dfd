"""Finds what is drawn on an image: its polarity, its background, and where its ink is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical.cleaning import clean
from canonical.components import remove_neighbours
from canonical.plain import MIN_CONTRAST, find_plain
from canonical.squares import Batch

BACKGROUND_SHARE = 0.875
"""The share of a side's pixels that are background: brighter ones may be ink that touches it."""

THRESHOLD = np.float32(0.3)
"""Ink begins where the smoothed image is this share of its brightest place."""

MARGIN = np.float32(1)
"""Pixels around the box that belong to the ink too: the soft edge of a stroke."""

BEYOND = 2
"""Pixels beyond each edge that the smoothed image has: one that ink reaches, and one of 0."""

Flags = npt.NDArray[np.bool_]

TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """The ink of N square images; axis 0 is down the rows, axis 1 along the columns.

    `images` (N, side, side) are light ink on a background of 0, not stretched to 1. `inverted` (N,)
    tells which of them were inverted. `low`, `high` and `centre` (N, 2) are the box and the
    centre of mass of the ink along each axis, in pixels, where 0 is the middle of the first pixel.
    `inside` (N, 2, side) is 1 where the box and its margin are, else 0. `contrast` (N,) is the
    brightest pixel. Where `found` (N,) is false nothing stands out, and these say nothing.
    """

    images: Batch
    inverted: npt.NDArray[np.bool_]
    found: npt.NDArray[np.bool_]
    contrast: Batch
    low: Batch
    high: Batch
    inside: Batch
    centre: Batch


def four_sides(images: Batch) -> Batch:
    """Return the four sides (N, 4, side) of images (N, side, side)."""
    n_images, side, _ = images.shape
    sides = np.empty((n_images, 4, side), np.float32)
    sides[:, 0] = images[:, 0]
    sides[:, 1] = images[:, -1]
    sides[:, 2] = images[:, :, 0]
    sides[:, 3] = images[:, :, -1]
    return sides


def measure_background(sides: Batch) -> tuple[Batch, Batch]:
    """Return how bright the background of light ink gets, and how much of that is noise, each (N,).

    The background reaches up to the brightness that 7 of 8 pixels of a side (N, 4, side) don't
    pass, and its noise is the distance from there to the median: on a clean image both are 0. Of
    the four sides counts the second darkest, so that ink may touch two of them.
    """
    ordered = np.sort(sides, axis=2)
    n_pixels = ordered.shape[2]
    middle = np.sort(ordered[:, :, n_pixels // 2], axis=1)[:, 1]
    top = np.sort(ordered[:, :, int(BACKGROUND_SHARE * n_pixels)], axis=1)[:, 1]
    return top, top - middle


def find(images: Batch, seen: tuple[Flags, Flags] | None = None) -> Ink:
    """Find the ink of images (N, side, side) of either polarity.

    Images that are not plain are cleaned; `seen` is what `find_plain` said, if it was asked. The
    background is subtracted, which leaves clean images as they are, and most of a noisy background
    at 0. Then the image is smoothed for the search alone, because a single bright pixel is noise,
    and a stroke is not. Ink is what is brighter than `THRESHOLD`.
    """
    plain, is_dark = seen or find_plain(images)
    dirty = np.flatnonzero(~plain)
    inverted = is_dark.copy()
    white = inverted.astype(np.float32)
    if len(dirty):
        images = images.copy()
        images[dirty], inverted[dirty] = clean(images[dirty])
        white[dirty] = 0
    sides = four_sides(images)
    # The distance from white inverts an image, that from black leaves it as it is.
    white = white[:, np.newaxis, np.newaxis]
    light = np.abs(images - white)
    background, noise = measure_background(np.abs(sides - white))
    light -= background[:, np.newaxis, np.newaxis]
    np.clip(light, 0, 1, out=light)
    if len(dirty):
        light[dirty] = remove_neighbours(light[dirty])
    contrast = light.max(axis=(1, 2))

    places = np.arange(images.shape[1], dtype=np.float32)
    profiles = measure_profiles(smooth(light, places))
    peak = profiles[:, 0].max(axis=1)
    low, high = find_ends(profiles, THRESHOLD * peak)
    low -= BEYOND
    high -= BEYOND

    above = places >= (low - MARGIN)[:, :, np.newaxis]
    below = places <= (high + MARGIN)[:, :, np.newaxis]
    inside = (above & below).astype(np.float32)
    found = (contrast > MIN_CONTRAST) & (peak > noise)
    centre = centre_of_mass(light, inside, places)
    return Ink(light, inverted, found, contrast, low, high, inside, centre)


def smooth(images: Batch, places: Batch) -> Batch:
    """Smooth images (N, side, side) by 1/4, 1/2, 1/4 along both axes, `BEYOND` the edges too.

    `places` (side,) counts the pixels. Returns (N, side + 4, side + 4), of which the outermost
    pixels are 0.
    """
    wider = np.arange(-BEYOND, len(places) + BEYOND, dtype=np.float32)
    distances = np.abs(wider[:, np.newaxis] - places)
    binomial = np.maximum(np.float32(0), np.float32(0.5) - distances / 4)
    smoothed: Batch = np.matmul(np.matmul(binomial, images), binomial.T)
    return smoothed


def measure_profiles(images: Batch) -> Batch:
    """Return the brightest pixel (N, 2, side) of each row and of each column of square images.

    Compares half of the pixels with the other half until one is left: NumPy's own `max` over an
    axis as short takes twice as long.
    """
    n_images, length, _ = images.shape
    both = np.empty((n_images, 2, length, length), np.float32)
    both[:, 0] = images.swapaxes(1, 2)
    both[:, 1] = images
    while both.shape[2] > 1:
        half = (both.shape[2] + 1) // 2
        both = np.maximum(both[:, :, :half], both[:, :, -half:])
    return both[:, :, 0]


def find_ends(profiles: Batch, thresholds: Batch) -> tuple[Batch, Batch]:
    """Return where profiles (N, 2, length) rise above and fall below thresholds (N,), both (N, 2).

    Profiles begin and end with 0, and between two pixels they are straight lines, so that the ends
    lie between pixels. Where a profile never rises they mean nothing.
    """
    n_images, n_axes, length = profiles.shape
    rays = np.empty((n_images, n_axes, 2, length), np.float32)
    rays[:, :, 0] = profiles
    rays[:, :, 1] = profiles[:, :, ::-1]
    threshold = thresholds[:, np.newaxis, np.newaxis]
    first = np.maximum((rays > threshold[..., np.newaxis]).argmax(axis=3), 1)
    index = first + np.arange(0, rays.size, length).reshape(first.shape)
    flat = rays.reshape(-1)
    above, before = flat.take(index), flat.take(index - 1)
    back = (above - threshold) / np.maximum(above - before, TINY)
    ends = first.astype(np.float32) - back
    return ends[:, :, 0], np.float32(length - 1) - ends[:, :, 1]


def centre_of_mass(images: Batch, inside: Batch, places: Batch) -> Batch:
    """Return row and column (N, 2) of the centre of mass of what is `inside` (N, 2, side)."""
    masses = np.empty_like(inside)
    masses[:, 0] = np.matmul(images, inside[:, 1, :, np.newaxis])[:, :, 0]
    masses[:, 1] = np.matmul(inside[:, :1], images)[:, 0]
    masses *= inside
    centre: Batch = masses @ places / np.maximum(masses.sum(axis=2), TINY)
    return centre
