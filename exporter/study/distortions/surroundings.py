"""Digits as they lie on paper and screens: grey paper, frames, ruled lines, specks, uneven light.

Each function makes of ink, a batch (N, side * side) where 0 is none and 1 is full ink, images in
[0, 1]; those that draw lots do it from a seed, for each image anew.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from canonical.squares import side_of
from exporter.network.network import Batch
from exporter.study.distortions.changes import add_noise, shift

SEED = 0
"""Every evaluation meets the same places."""

Lines = Literal["horizontal", "vertical", "both"]


def on_paper(ink: Batch, paper: float, colour: float, noise: float = 0) -> Batch:
    """Draw with ink of a colour on paper of another; `noise` is a standard deviation."""
    drawn: Batch = np.float32(paper) + np.float32(colour - paper) * ink
    return add_noise(drawn, noise, SEED) if noise else drawn


def frame(
    ink: Batch, width: int = 1, inset: int = 0, colour: float = 1, sides: str = "tblr"
) -> Batch:
    """Draw a frame `width` pixels thick, `inset` pixels from the edges, or some of its `sides`."""
    side = side_of(ink)
    drawn = np.zeros((side, side), np.float32)
    start, end = inset, side - inset
    for name in sides:
        line = {
            "t": np.s_[start : start + width, start:end],
            "b": np.s_[end - width : end, start:end],
            "l": np.s_[start:end, start : start + width],
            "r": np.s_[start:end, end - width : end],
        }[name]
        drawn[line] = colour
    return _over(ink, drawn.reshape(1, -1))


def rule(
    ink: Batch, direction: Lines, spacing: int = 0, width: int = 1, colour: float = 1
) -> Batch:
    """Rule lines from edge to edge: one anywhere, or one each `spacing` pixels."""
    side = side_of(ink)
    random = np.random.default_rng(SEED)
    drawn = np.zeros((len(ink), side, side), np.float32)
    for axis in {"horizontal": [1], "vertical": [2], "both": [1, 2]}[direction]:
        firsts = random.integers(0, spacing or side, len(ink))[:, np.newaxis]
        steps = np.arange(side) - firsts
        lines = (steps % spacing if spacing else steps) < width
        lines &= steps >= (-spacing if spacing else 0)
        drawn = np.maximum(drawn, np.expand_dims(lines * np.float32(colour), 3 - axis))
    return _over(ink, drawn.reshape(len(ink), -1))


def speckle(ink: Batch, salt: float = 0, pepper: float = 0) -> Batch:
    """Turn shares of the pixels white (salt) and black (pepper), wherever they are."""
    chance = np.random.default_rng(SEED).random(ink.shape, np.float32)
    return np.where(chance < salt, 1, np.where(chance > 1 - pepper, 0, ink)).astype(np.float32)


def crowd(ink: Batch, visible: int, down: int = 0, right: int = 1) -> Batch:
    """Let a neighbour, the next image's digit, reach `visible` pixels in at an edge.

    It stands on the side that `down` and `right` (-1, 0 or 1) point to; its own margin is left out.
    """
    side = side_of(ink)
    margin = round(side / 7)
    distance = side - margin - visible
    neighbours = shift(np.roll(ink, 1, axis=0), distance * down, distance * right)
    return _over(ink, neighbours)


def shade(image: Batch, kind: Literal["gradient", "shadow", "vignette"], darkest: float) -> Batch:
    """Darken images unevenly: where it is darkest, `darkest` of the light is left.

    A gradient falls in a direction of its own, a shadow covers what lies beyond a line near the
    middle, a vignette falls with the square of the distance from the middle.
    """
    side = side_of(image)
    random = np.random.default_rng(SEED)
    down, right = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].reshape(2, 1, -1)
    angle = random.uniform(0, 2 * np.pi, (len(image), 1))
    along = np.cos(angle) * down + np.sin(angle) * right
    dark: npt.NDArray[np.floating]
    if kind == "gradient":
        dark = (along / np.abs(along).max(axis=1, keepdims=True) + 1) / 2
    elif kind == "shadow":
        dark = along > random.uniform(-0.4, 0.4, (len(image), 1))
    else:
        dark = (down**2 + right**2) / 2
    return (image * (1 - (1 - darkest) * dark)).astype(np.float32)


def glow(ink: Batch, brightest: float) -> Batch:
    """Lay light ink on a background that grows from black to `brightest` in some direction."""
    background = 1 - shade(np.ones_like(ink), "gradient", 1 - brightest)
    return background + (1 - background) * ink


def _over(ink: Batch, drawn: Batch) -> Batch:
    darker: Batch = np.maximum(ink, drawn)
    return darker


def _paper(
    make: Callable[[Batch], Batch], paper: float = 0.9, colour: float = 0.1
) -> Callable[[Batch], Batch]:
    return lambda ink: on_paper(make(ink), paper, colour)


SURROUNDINGS: dict[str, Callable[[Batch], Batch]] = {
    **{
        f"paper {paper}, ink {colour}{f', noise {noise}' * bool(noise)}": partial(
            on_paper, paper=paper, colour=colour, noise=noise
        )
        for paper, colour, noise in (
            (0.52, 0.0, 0.0),
            (0.48, 0.0, 0.0),
            (0.3, 0.1, 0.0),
            (0.15, 0.0, 0.0),
            (0.9, 0.75, 0.0),
            (0.6, 0.8, 0.0),
            (0.85, 1.0, 0.0),
            (0.1, 0.25, 0.0),
            (0.45, 0.15, 0.03),
            (0.7, 0.4, 0.05),
            (0.3, 0.1, 0.03),
            (0.2, 0.4, 0.03),
            (0.55, 0.85, 0.05),
            (0.5, 0.0, 0.1),
        )
    },
    "frame of 1 px": frame,
    "frame of 2 px": partial(frame, width=2),
    "grey frame of 1 px": partial(frame, colour=0.5),
    "edge of 1 px on one side": partial(frame, sides="l"),
    "edges of 2 px on two sides": partial(frame, width=2, sides="tr"),
    **{f"frame inset by {inset} px": partial(frame, inset=inset) for inset in (1, 2, 3)},
    "frame inset by 1 px, on paper": _paper(partial(frame, inset=1)),
    "a horizontal line": partial(rule, direction="horizontal"),
    "a vertical line": partial(rule, direction="vertical"),
    "a grey horizontal line": partial(rule, direction="horizontal", colour=0.5),
    "a horizontal line of 2 px": partial(rule, direction="horizontal", width=2),
    "lines each 7 px": partial(rule, direction="horizontal", spacing=7),
    "grey lines each 5 px, on paper": _paper(
        partial(rule, direction="horizontal", spacing=5, colour=0.5)
    ),
    "squares of 7 px": partial(rule, direction="both", spacing=7, colour=0.6),
    "squares of 5 px, on paper": _paper(partial(rule, direction="both", spacing=5, colour=0.4)),
    "salt 1%": partial(speckle, salt=0.01),
    "salt 5%": partial(speckle, salt=0.05),
    "salt 10%": partial(speckle, salt=0.1),
    "pepper 5%": partial(speckle, pepper=0.05),
    "pepper 10%": partial(speckle, pepper=0.1),
    "salt and pepper 5%": partial(speckle, salt=0.025, pepper=0.025),
    "salt and pepper 10%": partial(speckle, salt=0.05, pepper=0.05),
    "salt and pepper 10% on paper": lambda ink: speckle(on_paper(ink, 0.7, 0.2), 0.05, 0.05),
    "salt and pepper 5% on grey": lambda ink: speckle(on_paper(ink, 0.4, 0.8), 0.025, 0.025),
    "neighbour on the right, 2 px": partial(crowd, visible=2),
    "neighbour on the left, 4 px": partial(crowd, visible=4, right=-1),
    "neighbour below, 3 px": partial(crowd, visible=3, down=1, right=0),
    "gradient to half, on paper": lambda ink: shade(on_paper(ink, 0.9, 0.1), "gradient", 0.5),
    "gradient to a third, on paper": lambda ink: shade(on_paper(ink, 0.9, 0.1), "gradient", 0.33),
    "gradient behind light ink": partial(glow, brightest=0.5),
    "shadow of half, on paper": lambda ink: shade(on_paper(ink, 0.9, 0.1), "shadow", 0.5),
    "shadow, light ink on grey": lambda ink: shade(on_paper(ink, 0.4, 1.0), "shadow", 0.6),
    "vignette to half, on paper": lambda ink: shade(on_paper(ink, 0.9, 0.1), "vignette", 0.5),
    "vignette to a third, noise": lambda ink: add_noise(
        shade(on_paper(ink, 0.9, 0.1), "vignette", 0.33), 0.05
    ),
    "ruled paper, noise": lambda ink: add_noise(
        on_paper(rule(ink, "horizontal", 6, colour=0.5), 0.8, 0.2), 0.05
    ),
}
"""By name, functions from ink (N, side * side) to images in [0, 1], always the same ones."""
