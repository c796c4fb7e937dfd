"""Kinds of pictures that differ in their inks and papers, their pens and their sizes."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from harness.pictures.digits import Mask, Random, enlarge, place
from harness.pictures.scenes import (
    add_noise,
    as_bytes,
    encode,
    grey,
    hue,
    mask,
    paint,
    photograph,
)

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


def inked(paper: tuple[float, float], ink: tuple[float, float]) -> Callable[[Mask, Random], bytes]:
    """Return what draws ink of some grey on paper of another, both between two levels."""

    def draw(digit: Mask, random: Random) -> bytes:
        colours = grey(random.uniform(*paper), random), grey(random.uniform(*ink), random)
        return photograph(paint(mask(digit, random), *colours), random)

    return draw


def noisy(paper: tuple[float, float], ink: tuple[float, float]) -> Callable[[Mask, Random], bytes]:
    """Return what draws as `inked` does, with a sensor's noise."""

    def draw(digit: Mask, random: Random) -> bytes:
        colours = grey(random.uniform(*paper), random), grey(random.uniform(*ink), random)
        page = paint(mask(digit, random), *colours)
        return photograph(add_noise(page, random, random.uniform(0.02, 0.07)), random)

    return draw


def coloured(
    paper: tuple[tuple[float, float], tuple[float, float], tuple[float, float]],
    ink: tuple[tuple[float, float], tuple[float, float], tuple[float, float]],
) -> Callable[[Mask, Random], bytes]:
    """Return what draws with bounds of red, green and blue for both."""

    def draw(digit: Mask, random: Random) -> bytes:
        under, over = (
            tuple(random.uniform(*bounds) for bounds in colour) for colour in (paper, ink)
        )
        page = paint(mask(digit, random), np.array(under, np.float32), np.array(over, np.float32))
        return photograph(add_noise(page, random, 0.01), random)

    return draw


def pen(width: float, side: int = 400, ink: float = 0.0) -> Callable[[Mask, Random], bytes]:
    """Return what draws a digit's skeleton with a pen of some pixels on a white page."""

    def draw(digit: Mask, random: Random) -> bytes:
        cover = mask(digit, random, side=side, pen=width)
        return encode(paint(cover, WHITE, (ink,) * 3))

    return draw


def sized(side: int) -> Callable[[Mask, Random], bytes]:
    """Return what draws black on white, with so many pixels along each side."""

    def draw(digit: Mask, random: Random) -> bytes:
        return encode(paint(mask(digit, random, side=side), WHITE, BLACK))

    return draw


def shaped(rows: int, columns: int, share: float) -> Callable[[Mask, Random], bytes]:
    """Return what draws black on a white page, the digit's frame `share` of its shorter side,
    anywhere on it.
    """

    def draw(digit: Mask, random: Random) -> bytes:
        side = round(share * min(rows, columns))
        top, left = (int(random.integers(0, n - side + 1)) for n in (rows, columns))
        return encode(paint(place(enlarge(digit, side), (rows, columns), top, left), WHITE, BLACK))

    return draw


def blurred(digit: Mask, random: Random) -> bytes:
    """A picture out of focus."""
    page = paint(mask(digit, random), grey(0.95, random), grey(0.1, random))
    blur = random.uniform(3, 7)
    return photograph(np.asarray(ndimage.gaussian_filter(page, (blur, blur, 0))), random)


def coloured_ink(digit: Mask, random: Random) -> bytes:
    """A felt pen of any colour on white."""
    page = paint(mask(digit, random), grey(0.96, random), hue(random, (0.6, 1), (0.3, 0.9)))
    return photograph(page, random)


def equally_bright(digit: Mask, random: Random) -> bytes:
    """Ink that differs from its paper in its hue, hardly in its brightness."""
    colours = np.array([[0.85, 0.2, 0.2], [0.15, 0.52, 0.2], [0.25, 0.45, 0.95]], np.float32)
    paper, ink = colours[random.permutation(3)[:2]]
    return photograph(paint(mask(digit, random), paper, ink), random)


def chalk(digit: Mask, random: Random) -> bytes:
    """White chalk, whose ink has holes, on a green board."""
    cover = mask(digit, random)
    holes = ndimage.gaussian_filter(random.standard_normal(cover.shape, np.float32), 1)
    page = paint(cover * (0.85 + 1.2 * holes).clip(0.2, 1), (0.15, 0.35, 0.25), (0.93,) * 3)
    return photograph(add_noise(page, random, 0.03), random)


def small(paper: tuple[float, float], ink: tuple[float, float]) -> Callable[[Mask, Random], bytes]:
    """Return what lays MNIST's own pixels between two greys, in a file of 28 x 28."""

    def draw(digit: Mask, random: Random) -> bytes:
        under, over = random.uniform(*paper), random.uniform(*ink)
        return encode(under + (over - under) * digit)

    return draw


def padded(digit: Mask, random: Random) -> bytes:
    """MNIST's own pixels with one more row and column: 29 x 29."""
    down, right = random.integers(0, 2, 2)
    return encode(np.pad(1 - digit, ((down, 1 - down), (right, 1 - right)), constant_values=1))


def enlarged(method: Image.Resampling) -> Callable[[Mask, Random], bytes]:
    """Return what enlarges MNIST's own pixels to 280 x 280."""

    def draw(digit: Mask, _: Random) -> bytes:
        return encode(Image.fromarray(as_bytes(digit)).resize((280, 280), method))

    return draw


KINDS = {
    "28x28, light on black": small((0, 0), (1, 1)),
    "28x28, dark on white": small((1, 1), (0, 0)),
    "29x29": padded,
    "280x280, pixels": enlarged(Image.Resampling.NEAREST),
    "280x280, smooth": enlarged(Image.Resampling.BICUBIC),
    "black on white": sized(400),
    "white on black": inked((0, 0.05), (0.9, 1)),
    "100 pixels": sized(100),
    "1,500 pixels": sized(1500),
    "wide page": shaped(300, 700, 0.9),
    "high page": shaped(900, 300, 0.9),
    "small in a corner": shaped(400, 400, 0.3),
    "tiny on a large page": shaped(1000, 1000, 0.12),
    "blurred": blurred,
    "coloured ink": coloured_ink,
    "chalk on green": chalk,
    "dim paper": inked((0.33, 0.5), (0.03, 0.12)),
    "very dim paper": inked((0.2, 0.33), (0.02, 0.06)),
    "dim and noisy": noisy((0.3, 0.5), (0.03, 0.12)),
    "brown paper": coloured(
        ((0.5, 0.65), (0.38, 0.48), (0.22, 0.35)), ((0.05, 0.15), (0.05, 0.15), (0.05, 0.4))
    ),
    "equally bright colours": equally_bright,
    "light ink on grey": inked((0.5, 0.7), (0.88, 1)),
    "faint ink": inked((0.88, 0.95), (0.55, 0.72)),
    "28x28, grey paper": small((0.55, 0.9), (0, 0.2)),
    "28x28, dim paper": small((0.3, 0.5), (0, 0.1)),
    "28x28, faint ink": small((0.85, 1), (0.3, 0.6)),
    "28x28, light on grey": small((0.3, 0.6), (0.9, 1)),
    "pen of 1 in 400": pen(1),
    "pen of 3 in 400": pen(3),
    "pen of 7 in 400": pen(7),
    "pen of 14 in 400": pen(14),
    "pen of 1 in 1,000": pen(1, 1000),
    "pen of 3 in 1,000": pen(3, 1000),
    "pencil of 2 in 400": pen(2, ink=0.5),
    "marker of 60 in 400": pen(60),
}
