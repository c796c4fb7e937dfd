"""Removes ruled lines and frames: no digit runs straight from edge to edge."""

import numpy as np
import numpy.typing as npt

from canonical.background import find_level
from canonical.levels import middle
from canonical.squares import Batch

Flags = npt.NDArray[np.bool_]

MIN_SIDE = 14
"""Smaller images have no room for lines beside strokes."""

GAPS = 0.15
"""The share of a line's pixels that may look different: ink of another colour, specks."""

MAX_THICKNESS = 1 / 9
"""How thick lines are at most, as a share of the side: 3 of 28 pixels."""

MARGIN = 5 / 28
"""How far from the edges the sides of a frame may be, as a share of the side."""

MIN_FRAME_SIDES = 3
"""A frame has at least this many straight sides; a digit has fewer."""

MIN_STEP = np.float32(0.05)
"""By how much a line differs at least from what is beside it, besides the noise."""

NOISE_STEPS = np.float32(3)
"""By how many times the noise of profiles a line differs at least."""

TOLERANCE = np.float32(0.1)
"""What differs more from a line, in its direction from the paper, is ink that crosses it."""


def remove_lines(images: Batch) -> Batch:
    """Return images (N, side, side) without lines and frames, lighter or darker than their paper.

    In their place is what lies beside them, in equal steps from one side to the other. Images
    without lines stay as they are.
    """
    if images.shape[1] < MIN_SIDE:
        return images
    across = np.ascontiguousarray(images.swapaxes(1, 2))
    paper = find_paper(images)
    lines = np.stack([*find_lines(images, paper), *find_lines(across, paper)], axis=1)
    lines |= find_frames(images, across, paper)
    ruled = lines.any(axis=(1, 2))
    if not ruled.any():
        return images
    lines = lines[ruled]
    without = bridge(images[ruled], lines[:, 0], lines[:, 1])
    without = bridge(without.swapaxes(1, 2), lines[:, 2], lines[:, 3])
    cleaned = images.copy()
    cleaned[ruled] = without.swapaxes(1, 2)
    return cleaned


def find_paper(images: Batch) -> Batch:
    """Return the level (N,) of the paper of images (N, side, side)."""
    level, common = find_level(images)
    return np.where(common, level, middle(middle(images)))


def find_lines(images: Batch, paper: Batch, to_edges: bool = True) -> tuple[Flags, Flags]:
    """Tell which rows (N, rows) of images (N, rows, columns) are lines: light ones, dark ones.

    Nearly all of a line's pixels stand out from the middle of the rows beside it, and from the
    paper (N,). `to_edges` tells whether its ends must, too.
    """
    ordered = np.sort(images, axis=2)
    gaps = int(GAPS * images.shape[2])
    middles = ordered[:, :, images.shape[2] // 2]
    flags = []
    for sign, profiles in ((1, ordered[:, :, gaps]), (-1, -ordered[:, :, -1 - gaps])):
        beside = np.maximum(open_profiles(sign * middles), sign * paper[:, np.newaxis])
        noise = middle(np.abs(np.diff(profiles, axis=1)))[:, np.newaxis]
        found = profiles - beside > MIN_STEP + NOISE_STEPS * noise
        if to_edges and found.any():
            ends = np.minimum(sign * images[:, :, 0], sign * images[:, :, -1])
            found &= ends > (profiles + beside) / 2
        flags.append(found)
    return flags[0], flags[1]


def open_profiles(profiles: Batch) -> Batch:
    """Return profiles (N, length) without what rises in them and is no thicker than lines are.

    The least of each window, and of these the most. Beyond the ends is what lies at the other side
    of a line there.
    """
    length = profiles.shape[1]
    width = max(2, round(MAX_THICKNESS * length) + 1)
    first = np.repeat(profiles[:, width - 1 : width], width, axis=1)
    last = np.repeat(profiles[:, -width : length - width + 1], width, axis=1)
    wide = np.concatenate([first, profiles, last], axis=1)
    least = wide[:, : -width + 1].copy()
    for start in range(1, width):
        np.minimum(least, wide[:, start : start + least.shape[1]], out=least)
    opened = least[:, 1 : 1 + length].copy()
    for start in range(2, width + 1):
        np.maximum(opened, least[:, start : start + length], out=opened)
    return opened


def find_frames(images: Batch, across: Batch, paper: Batch) -> Flags:
    """Tell which rows and columns of images (N, side, side) are sides of a frame.

    `across` are the images with rows and columns exchanged. Returns (N, 4, side): light and dark
    rows, light and dark columns. A frame's corners may lie anywhere in the margin.
    """
    n_images, side, _ = images.shape
    margin = round(MARGIN * side)
    flags = np.zeros((n_images, 2, 2, side), np.bool_)
    for index, oriented in enumerate((images, across)):
        found = find_lines(oriented[:, :, margin : side - margin], paper, to_edges=False)
        flags[:, index] = np.stack(found, axis=1)
    flags[:, :, :, margin : side - margin] = False
    first = flags[:, :, :, :margin].any(axis=3)
    last = flags[:, :, :, side - margin :].any(axis=3)
    seen = first.sum(axis=1) + last.sum(axis=1)
    flags &= (seen >= MIN_FRAME_SIDES)[:, np.newaxis, :, np.newaxis]
    return flags.reshape(n_images, 4, side)


def bridge(images: Batch, light: Flags, dark: Flags) -> Batch:
    """Return images (N, side, side) whose rows that are lines, light or dark (N, side), are gone.

    Ink that is lighter than a light line or darker than a dark one stays.
    """
    side = images.shape[1]
    places = np.arange(side)
    lines = light | dark
    above = np.maximum.accumulate(np.where(lines, -1, places), axis=1)
    below = np.minimum.accumulate(np.where(lines, side, places)[:, ::-1], axis=1)[:, ::-1]
    # Beyond an edge is what lies on the other side of the line; where all is lines they stay.
    above, below = np.where(above < 0, below, above), np.where(below == side, above, below)
    lines &= above < side
    image, row = np.nonzero(lines)
    above, below = above[image, row], below[image, row]
    share = ((row - above) / np.maximum(below - above, 1)).astype(np.float32)[:, np.newaxis]
    start, end = images[image, above], images[image, below]
    line = images[image, row]
    sign = np.where(light[image, row], np.float32(1), np.float32(-1))[:, np.newaxis]
    is_ink = sign * (line - middle(line)[:, np.newaxis]) > TOLERANCE
    bridged = images.copy()
    bridged[image, row] = np.where(is_ink, line, start + share * (end - start))
    return bridged
