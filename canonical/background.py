"""Finds the background of images: one level, a surface that is lit unevenly, or shadows."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from canonical.levels import middle
from canonical.squares import Batch

Flags = npt.NDArray[np.bool_]

ALIKE = np.float32(0.02)
"""By so much pixels of one level differ."""

MIN_FLAT = 0.25
"""The share of an image's pixels that have the background's level where it has one."""

MIN_SIDE = 14
"""In smaller images so much of the outline may be ink."""

SHADOW_STEP = np.float32(0.1)
"""By how much what is in a shadow differs from the background's level."""

SHADOW_RUN, SHADOW_SHARE = 0.2, 0.9
"""A shadow takes that share of a stretch that long, as a share of the outline; cut ink doesn't."""

MIN_SHADOW = 0.1
"""The least share of an image that a shadow covers."""

MARGIN = 0.7
"""Where surfaces are fitted first: beyond that share of the way from the middle to the edges."""

SPREADS = (0.3, 0.2, 0.1, 0.1)
"""By how much pixels of the background differ from a surface, one try after the other."""

STIFFNESS = 1e-3
"""What keeps the equations of a surface solvable, however few pixels count."""

WINDOW = 1 / 3
"""Background is wider than this share of the side: strokes are narrower."""


def find_level(images: Batch) -> tuple[Batch, Flags]:
    """Return the commonest level (N,) of images (N, side, side), and whether it is common indeed.

    The middle of the outline, or one of the quartiles of all pixels: whichever has most pixels like
    it. What is background, ink or a frame takes at least a quarter, or is not the commonest.
    """
    n_images, side, _ = images.shape
    n_pixels = side**2
    ordered = np.sort(images.reshape(n_images, n_pixels), axis=1)
    quartiles = ordered[:, [n_pixels // 4, n_pixels // 2, n_pixels * 3 // 4]]
    levels = np.concatenate([quartiles, middle(outline(images))[:, np.newaxis]], axis=1)
    alike = [np.abs(ordered - level[:, np.newaxis]) < ALIKE for level in levels.T]
    n_alike = np.stack([found.sum(axis=1) for found in alike], axis=1)
    best = n_alike.argmax(axis=1)
    most = np.take_along_axis(n_alike, best[:, np.newaxis], axis=1)[:, 0]
    # In the middle of what is like it, which lies side by side.
    first = np.choose(best, [found.argmax(axis=1) for found in alike])
    level = np.take_along_axis(ordered, (first + most // 2)[:, np.newaxis], axis=1)[:, 0]
    return level, most > MIN_FLAT * n_pixels


def has_shadow(images: Batch, level: Batch) -> Flags:
    """Tell in which images (N, side, side) a long stretch of the outline is off the level (N,), and
    what is off is wide: strokes along an edge are not.
    """
    if images.shape[1] < MIN_SIDE:
        return np.zeros(len(images), np.bool_)
    edge = outline(images)
    shaded = np.abs(edge - level[:, np.newaxis]) > SHADOW_STEP
    length = max(1, round(SHADOW_RUN * edge.shape[1]))
    sums = np.zeros((len(images), edge.shape[1] + length + 1), np.int32)
    np.cumsum(np.concatenate([shaded, shaded[:, :length]], axis=1), axis=1, out=sums[:, 1:])
    found: Flags = (sums[:, length:] - sums[:, :-length] >= SHADOW_SHARE * length).any(axis=1)
    some = np.flatnonzero(found)
    if len(some):
        rises = images[some] - level[some, np.newaxis, np.newaxis]
        areas = [(open_wide(sign * rises) > SHADOW_STEP).sum(axis=(1, 2)) for sign in (1, -1)]
        found[some] = np.maximum(*areas) > MIN_SHADOW * images.shape[1] ** 2
    return found


def outline(images: Batch) -> Batch:
    """Return the outermost pixels of images (N, side, side), once around.

    (N, 4 * side - 4), or the pixel itself, (N, 1), where there is no other.
    """
    if images.shape[1] == 1:
        return images[:, 0]
    return np.concatenate(
        [images[:, 0, :-1], images[:, :-1, -1], images[:, -1, :0:-1], images[:, :0:-1, 0]], axis=1
    )


def fit_surface(images: Batch) -> Batch:
    """Return smooth surfaces (N, side, side) through the backgrounds of images.

    Polynomials of the second degree, by least squares: first through the margins, then through all
    pixels, of which those that are far off weigh less (iteratively reweighted least squares with
    the weights of Geman and McClure, Statistical methods for tomographic image reconstruction,
    1987).
    """
    n_images, side, _ = images.shape
    terms, products, margin = make_terms(side)
    pixels = images.reshape(n_images, 1, side**2)
    weights = np.broadcast_to(margin, pixels.shape)
    n_terms = terms.shape[1]
    for spread in (*SPREADS, None):
        sums = np.matmul(weights, products).reshape(n_images, n_terms, n_terms).astype(np.float64)
        sums += STIFFNESS * np.eye(n_terms)
        right = np.matmul(weights * pixels, terms).astype(np.float64)
        factors = np.linalg.solve(sums, right.swapaxes(1, 2)).swapaxes(1, 2)
        surface: Batch = np.matmul(factors.astype(np.float32), terms.T)
        if spread is not None:
            off = (pixels - surface) / np.float32(spread)
            weights = 1 / np.square(1 + off * off)
    return surface.reshape(images.shape)


@lru_cache(maxsize=8)
def make_terms(side: int) -> tuple[Batch, Batch, Batch]:
    """Return the terms of a surface (side^2, 6), the products of each two (side^2, 36), and 1 where
    the margin is (side^2,).
    """
    places = np.linspace(-1, 1, side) if side > 1 else np.ones(1)
    down, right = (part.ravel() for part in np.meshgrid(places, places, indexing="ij"))
    terms = np.stack([np.ones_like(down), down, right, down**2, down * right, right**2], axis=1)
    products = (terms[:, :, np.newaxis] * terms[:, np.newaxis]).reshape(side**2, -1)
    margin = np.maximum(np.abs(down), np.abs(right)) > MARGIN
    return terms.astype(np.float32), products.astype(np.float32), margin.astype(np.float32)


def open_wide(images: Batch) -> Batch:
    """Return images (N, side, side) without what is light and narrow: strokes, not shadows.

    A morphological opening by a square of `WINDOW`: the least around each pixel, and of these the
    most.
    """
    width = max(3, round(WINDOW * images.shape[1]) // 2 * 2 + 1)
    for axis in (2, 1):
        images = spread_extreme(images, width, axis, np.minimum, np.inf)
    for axis in (2, 1):
        images = spread_extreme(images, width, axis, np.maximum, -np.inf)
    return images


def spread_extreme(images: Batch, width: int, axis: int, extreme: np.ufunc, beyond: float) -> Batch:
    """Return the extreme of the `width` pixels around each along an axis of images.

    Takes that of two halves, each of which came from two halves. Beyond the edges counts nothing.
    """
    n_images, n_rows, n_columns = images.shape
    reach = width // 2
    shape = [n_images, n_rows, n_columns]
    shape[axis] += 2 * reach
    wide = np.full(shape, beyond, np.float32)
    lead = (slice(None),) * axis
    wide[(*lead, slice(reach, -reach))] = images
    done = 1
    while done < width:
        step = min(done, width - done)
        wide = extreme(wide[(*lead, slice(0, -step))], wide[(*lead, slice(step, None))])
        done += step
    return wide
