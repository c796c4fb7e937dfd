"""How much an image of weights is like one oriented edge or bar, beside chance."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical.squares import side_of
from exporter.network.network import Batch

WAVELENGTHS = (4.0, 6.0, 9.0, 13.0, 19.0)
"""Pixels from bright to bright: an edge or bar is half as wide."""

ASPECTS = (1.0, 2.0, 3.0)
"""How many times longer than wide the window of a filter is."""

N_ORIENTATIONS = 12
CENTRES_PER_WAVE = 3
"""How many filters' centres stand along one wavelength, if that leaves 2 pixels between them."""

EDGE, BAR = math.pi / 2, 0.0
"""Phase of the wave at the filter's centre: odd gives an edge, even a bar."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Each image's best filter of the bank.

    `correlations` (N,) are without their sign, in [0, 1]; `filters` (N, pixels) are turned to
    match; `are_edges` (N,) is false for bars.
    """

    correlations: Batch
    filters: Batch
    are_edges: npt.NDArray[np.bool_]


def gabor_filters(side: int) -> Iterator[tuple[float, Batch]]:
    """Give the bank of filters: a phase, and a block (positions, side * side) of one shape.

    exp(-(u^2 + (v / aspect)^2) / (2 sigma^2)) cos(2 pi u / wavelength + phase), with u across and v
    along the edge, and sigma = 0.4 wavelength, so that little more than one wave is seen
    (Daugman, 1985). Each filter has mean 0 and length 1.
    """
    row, column = np.mgrid[:side, :side].reshape(2, 1, -1)
    angles = np.arange(N_ORIENTATIONS) * math.pi / N_ORIENTATIONS
    for wavelength, aspect, angle in itertools.product(WAVELENGTHS, ASPECTS, angles):
        stride = max(2.0, wavelength / CENTRES_PER_WAVE)
        centres = np.arange(min(stride, side) / 2, side, stride) - 0.5
        top, left = np.stack(np.meshgrid(centres, centres, indexing="ij")).reshape(2, -1, 1)
        u = (column - left) * math.cos(angle) + (row - top) * math.sin(angle)
        v = (row - top) * math.cos(angle) - (column - left) * math.sin(angle)
        window = np.exp(-(u**2 + (v / aspect) ** 2) / (2 * (0.4 * wavelength) ** 2))
        for phase in (EDGE, BAR):
            wave = np.cos(2 * math.pi * u / wavelength + phase)
            yield phase, normalize((window * wave).astype(np.float32))


def normalize(images: Batch) -> Batch:
    """Return images (N, pixels) less their mean, at length 1; a flat one becomes zeros."""
    centred: Batch = images - images.mean(axis=1, keepdims=True)
    lengths: Batch = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.float32(1e-12))
    return centred / lengths


def best_matches(images: Batch) -> Matches:
    """Return which filter each image (N, pixels) correlates with most, either sign counting.

    Raises canonical.NotSquare for images that aren't square.
    """
    wanted = normalize(images)
    best = np.zeros(len(images), np.float32)
    filters = np.zeros_like(images)
    are_edges = np.zeros(len(images), np.bool_)
    for phase, block in gabor_filters(side_of(images)):
        correlations = wanted @ block.T
        places = np.abs(correlations).argmax(axis=1)
        signed = correlations[np.arange(len(images)), places]
        better = np.abs(signed) > best
        best[better] = np.abs(signed[better])
        filters[better] = block[places[better]] * np.sign(signed[better, np.newaxis])
        are_edges[better] = phase == EDGE
    return Matches(best, filters, are_edges)


def scramble(images: Batch, generator: np.random.Generator) -> Batch:
    """Return images (N, pixels) with the same spectra and random phases: as smooth, but chance.

    Theiler and others, Testing for nonlinearity in time series, 1992.
    """
    side = side_of(images)
    squares = images.reshape(-1, side, side)
    noise = np.fft.rfft2(generator.standard_normal(squares.shape))
    spectra = np.abs(np.fft.rfft2(squares)) * noise / np.abs(noise)
    return np.fft.irfft2(spectra, squares.shape[1:]).reshape(images.shape).astype(np.float32)


def spread(images: Batch) -> Batch:
    """Return the smallest share of pixels (N,) that holds half of each image's squared weights."""
    squares = np.sort(images**2, axis=1)[:, ::-1]
    total = squares.sum(axis=1, keepdims=True)
    counts = 1 + np.sum(np.cumsum(squares, axis=1) < total / 2, axis=1)
    shares: Batch = (counts / images.shape[1]).astype(np.float32)
    return shares


def draw_stroke(side: int) -> Batch:
    """Return what an edge detector's weights would look like if drawn: (1, side * side).

    A lying bar of 1 with bars of -1/2 above and below, as long as a third of the image: what the
    bank should know, and so the measure of what a good match is.
    """
    image = np.zeros((side, side), np.float32)
    middle, thickness, length = side // 2, max(1, side // 12), max(1, side // 3)
    columns = slice(middle - length // 2, middle - length // 2 + length)
    image[middle - thickness : middle + 2 * thickness, columns] = -0.5
    image[middle : middle + thickness, columns] = 1
    return image.reshape(1, -1)
