"""Fresh variants of square images: each is turned, stretched, sheared, shifted and bent a little.

Every distortion moves pixels by an amount that is linear in its parameters, so the places that a
batch's pixels are read from are one matrix product: parameters (N, P) times fields (P, pixels).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical.resampling import catmull_rom
from canonical.squares import side_of
from exporter.network.network import Batch

ENLARGEMENT = 2
"""Source pixels per pixel along each axis: reading the nearest one is then off by 1/4 at most."""

CONTROL_POINTS = 7
"""Control points of the elastic distortion along each axis."""

CHUNK = 1000
"""Images enlarged at a time, which bounds the memory in between."""

N_AFFINE = 3
"""Parameters of each coordinate's affine map: factors of row and column, and a constant."""


@dataclass(frozen=True, slots=True)
class Distortions:
    """How far images are distorted.

    Rotation, scale, shear and shift are drawn uniformly between minus and plus these values: the
    angle in degrees, the natural logarithm of the scale of each axis, the shear as a ratio, the
    shift of each axis in pixels. `elastic_pixels` is the standard deviation of each control point's
    displacement along each axis.
    """

    rotation_degrees: float = 10.0
    log_scale: float = 0.10
    shear: float = 0.125
    shift_pixels: float = 1.25
    elastic_pixels: float = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Images prepared for `distort`.

    `pixels` (N, length, length) uint8 are the enlarged images, 255 for white; `fields`
    (P, side * side) float32 say how far one unit of each parameter moves each pixel of an image.
    """

    pixels: npt.NDArray[np.uint8]
    fields: Batch


def prepare(images: Batch) -> Source:
    """Enlarge square images (N, side * side) in [0, 1] and lay out the distortions' fields.

    Raises canonical.NotSquare when the images aren't square.
    """
    side = side_of(images)
    return Source(enlarge(images.reshape(-1, side, side)), distortion_fields(side))


def enlarge(images: Batch) -> npt.NDArray[np.uint8]:
    """Enlarge images (N, side, side) to (N, length, length), length = 2 (side - 1) + 1.

    Catmull and Rom's cubic along each axis, U @ image @ U.T: every second pixel is an original one
    (rounded to 1/255), and the ones between are less blurred than linear interpolation's.
    """
    side = images.shape[1]
    length = ENLARGEMENT * (side - 1) + 1
    positions = np.arange(length)[:, np.newaxis] / ENLARGEMENT
    weights = catmull_rom(positions - np.arange(side))
    upscale = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    enlarged = np.empty((len(images), length, length), np.uint8)
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        pixels = upscale @ images[chunk] @ upscale.T
        enlarged[chunk] = np.rint(np.clip(pixels, 0, 1) * 255)
    return enlarged


def distortion_fields(side: int) -> Batch:
    """Return the fields (3 + 49, side * side) that a coordinate is a combination of.

    The first three are row and column, counted from the image's centre, and 1: the affine map. The
    others are one tent per control point of a 7x7 grid, the product of
    max(0, 1 - |distance in grid steps|) along both axes: the elastic distortion, which is the
    bilinear interpolation of the control points' displacements.
    """
    row, column = np.mgrid[:side, :side].reshape(2, -1) - (side - 1) / 2
    steps = np.linspace(0, CONTROL_POINTS - 1, side)
    tents = np.maximum(0, 1 - np.abs(np.arange(CONTROL_POINTS)[:, np.newaxis] - steps))
    elastic = np.einsum("ar,bc->abrc", tents, tents).reshape(CONTROL_POINTS**2, -1)
    return np.concatenate([[row, column, np.ones_like(row)], elastic]).astype(np.float32)


def draw_parameters(
    n_images: int, distortions: Distortions, strength: float, generator: np.random.Generator
) -> Batch:
    """Return parameters (2, N, 3 + 49) of each image's row and column coordinates, in pixels.

    `strength` in [0, 1] scales every distortion. The linear part is a rotation times a shear times
    the scales,

        [cos t, -sin t]   [1, 0]   [s_row, 0    ]
        [sin t,  cos t] @ [h, 1] @ [0,     s_col],

    and maps places in the new image to places in the old one.
    """

    def draw(bound: float) -> Batch:
        return generator.uniform(-strength * bound, strength * bound, n_images).astype(np.float32)

    angle = draw(math.radians(distortions.rotation_degrees))
    shear = draw(distortions.shear)
    row_scale, column_scale = (np.exp(draw(distortions.log_scale)) for _ in range(2))
    cos, sin = np.cos(angle), np.sin(angle)
    parameters = np.empty((2, n_images, N_AFFINE + CONTROL_POINTS**2), np.float32)
    parameters[0, :, 0] = (cos - sin * shear) * row_scale
    parameters[0, :, 1] = -sin * column_scale
    parameters[1, :, 0] = (sin + cos * shear) * row_scale
    parameters[1, :, 1] = cos * column_scale
    for axis in range(2):
        parameters[axis, :, 2] = draw(distortions.shift_pixels)
    elastic = generator.standard_normal((2, n_images, CONTROL_POINTS**2), dtype=np.float32)
    parameters[:, :, N_AFFINE:] = elastic * np.float32(strength * distortions.elastic_pixels)
    return parameters


def distort(
    source: Source,
    indices: npt.NDArray[np.integer],
    distortions: Distortions,
    strength: float,
    generator: np.random.Generator,
) -> Batch:
    """Return a new variant (N, side * side) of the images at `indices` (N,).

    Each pixel takes the value of the nearest source pixel; beyond the edge, of the edge.
    """
    parameters = draw_parameters(len(indices), distortions, strength, generator)
    places = parameters @ source.fields
    length = source.pixels.shape[1]
    # From pixels around the centre to source pixels from the corner; the half makes truncation
    # round to the nearest, since nothing is negative after the clip.
    places *= np.float32(ENLARGEMENT)
    places += np.float32((length - 1) / 2 + 0.5)
    np.clip(places, 0, np.float32(length - 0.5), out=places)
    # intp, because an index into all source pixels may pass what 32 bits hold.
    row, column = places.astype(np.int32)
    index = (indices.astype(np.intp) * length**2)[:, np.newaxis] + (row * length + column)
    pixels: Batch = source.pixels.reshape(-1).take(index) * np.float32(1 / 255)
    return pixels
