"""Kinds of pictures that show more than the digit: lines, frames, noise, neighbours."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from harness.pictures.digits import Mask, Random, place
from harness.pictures.light import page
from harness.pictures.scenes import (
    SIDE,
    add_noise,
    as_bytes,
    encode,
    frame,
    grey,
    hue,
    lines,
    mask,
    paint,
    photograph,
    ramp,
    rounded,
    shade,
)


def ruled(*, squared: bool, dark: bool = False) -> Callable[[Mask, Random], bytes]:
    """Return what draws on ruled or squared paper; dark lines are as dark as a pencil's."""

    def draw(digit: Mask, random: Random) -> bytes:
        cover = mask(digit, random)
        line = (
            grey(random.uniform(0.35, 0.5), random)
            if dark
            else hue(random, (0.15, 0.4), (0.75, 0.9))
        )
        count = (5, 20) if squared else (5, 12)
        rules = lines((SIDE, SIDE), random, squared=squared, count=count)
        paper = paint(rules, grey(0.96, random), line)
        picture = paint(cover, paper, grey(random.uniform(0.05, 0.2), random, 0.1))
        return photograph(add_noise(picture, random, 0.005), random)

    return draw


def box(width: tuple[float, float]) -> Callable[[Mask, Random], bytes]:
    """Return what draws the digit into a box, as forms have."""

    def draw(digit: Mask, random: Random) -> bytes:
        cover = mask(digit, random, size=(0.7, 0.9))
        line = frame((SIDE, SIDE), random.uniform(4, 30), random.uniform(*width))
        paper = paint(line, (0.98,) * 3, grey(random.uniform(0, 0.5), random))
        return encode(paint(cover, paper, (0.08, 0.08, 0.1)))

    return draw


def noise(low: float, high: float, blur: float = 0) -> Callable[[Mask, Random], bytes]:
    """Return what adds a sensor's noise."""

    def draw(digit: Mask, random: Random) -> bytes:
        picture = page(digit, random)
        return photograph(add_noise(picture, random, random.uniform(low, high), blur), random)

    return draw


def salt(digit: Mask, random: Random) -> bytes:
    """Single pixels that are black or white."""
    picture = page(digit, random).copy()
    chance = random.random((SIDE, SIDE))
    share = random.uniform(0.02, 0.06)
    picture[chance < share] = 0
    picture[chance > 1 - share] = 1
    return encode(picture)


def dirt(digit: Mask, random: Random) -> bytes:
    """Specks of a few pixels."""
    picture = page(digit, random).copy()
    for _ in range(random.integers(10, 40)):
        row, column = random.integers(0, SIDE - 6, 2)
        picture[row : row + random.integers(1, 6), column : column + random.integers(1, 6)] *= 0.3
    return photograph(picture, random)


def dithered(digit: Mask, random: Random) -> bytes:
    """Floyd and Steinberg's dots for greys."""
    under, over = random.uniform(0.65, 0.95), random.uniform(0, 0.2)
    cover = mask(digit, random)
    grey_levels = as_bytes(under + (over - under) * cover)
    return encode(Image.fromarray(grey_levels).convert("1"))


def screened(digit: Mask, random: Random) -> bytes:
    """Bayer's ordered dots for greys."""
    small = np.array([[0, 2], [3, 1]])
    bayer = np.block([[4 * small, 4 * small + 2], [4 * small + 3, 4 * small + 1]]) / 16 + 1 / 32
    under, over = random.uniform(0.65, 0.95), random.uniform(0, 0.2)
    levels = under + (over - under) * mask(digit, random)
    return encode(np.asarray(levels > np.tile(bayer, (SIDE // 4, SIDE // 4)), np.float32))


def neighbour(digit: Mask, random: Random) -> bytes:
    """Another sign, cut by an edge; it is the digit, upside down."""
    cover = mask(digit, random, size=(0.6, 0.75))
    other = mask(digit[::-1], random, size=(0.7, 0.8))
    inked = np.flatnonzero(other.any(axis=0))
    seen = round(random.uniform(0.1, 0.35) * (inked[-1] - inked[0]))
    cut = place(other, other.shape, int(random.integers(-20, 20)), SIDE - seen - int(inked[0]))
    cut = cut[:, ::-1] if random.random() < 0.5 else cut
    return photograph(paint(np.maximum(cover, cut), (0.95,) * 3, (0.1,) * 3), random)


def jpeg(digit: Mask, random: Random) -> bytes:
    """A JPEG of few bytes."""
    return encode(page(digit, random), "JPEG", quality=int(random.integers(3, 12)))


def scan_of_copy(digit: Mask, random: Random) -> bytes:
    """Noise, a slope of light and ruled lines at once."""
    rules = lines((SIDE, SIDE), random, squared=False)
    paper = paint(rules, grey(0.95, random), (0.65, 0.75, 0.9))
    picture = paint(mask(digit, random), paper, (0.1, 0.1, 0.2))
    lit = shade(picture, 1 - 0.4 * ramp(picture.shape, random))
    return photograph(add_noise(lit, random, 0.02), random)


def window(*, bar: bool) -> Callable[[Mask, Random], bytes]:
    """Return what takes a window's screenshot: transparent with a shadow around it, and with or
    without a bar above.
    """

    def draw(digit: Mask, random: Random) -> bytes:
        cover = mask(digit, random)
        picture = paint(cover, (0.98,) * 3, (0.08, 0.08, 0.1))
        if bar:
            height = int(random.integers(20, 36))
            head = np.full((height, SIDE, 3), random.choice([0.2, 0.85]), np.float32)
            head[height // 3 : -height // 3, 10:60:16] = (0.9, 0.3, 0.3)
            picture = np.concatenate([head, picture])
        margin = int(random.integers(10, 50))
        rows, columns = picture.shape[0] + 2 * margin, SIDE + 2 * margin
        levels = np.zeros((rows, columns, 4), np.float32)
        shadow = random.uniform(0, 0.5)
        levels[..., 3] = shadow * rounded((rows, columns), margin / 2, margin / 2)
        levels[margin:-margin, margin:-margin, :3] = picture
        levels[margin:-margin, margin:-margin, 3] = 1
        return encode(levels)

    return draw


def card(*, dark: bool) -> Callable[[Mask, Random], bytes]:
    """Return what draws on an opaque card with round, transparent corners."""

    def draw(digit: Mask, random: Random) -> bytes:
        paper, ink = (0.1, 0.95) if dark else (0.98, 0.08)
        picture = paint(mask(digit, random, size=(0.7, 0.9)), (paper,) * 3, (ink,) * 3)
        cover = rounded((SIDE, SIDE), random.uniform(0, 30), random.uniform(20, 90))
        return encode(np.concatenate([picture, cover[..., np.newaxis]], axis=2))

    return draw


def margins(digit: Mask, random: Random) -> bytes:
    """A white page with transparent margins, whose colour is black or white."""
    picture = page(digit, random)
    levels = np.full((SIDE, SIDE, 4), [*(float(random.integers(2)),) * 3, 0], np.float32)
    high, low = (int(n) for n in random.integers(5, 50, 2))
    levels[high:-high, low:-low, :3] = picture[high:-high, low:-low]
    levels[high:-high, low:-low, 3] = 1
    return encode(levels)


def cut_out(ink: float) -> Callable[[Mask, Random], bytes]:
    """Return what draws nothing but ink on transparency."""

    def draw(digit: Mask, random: Random) -> bytes:
        cover = mask(digit, random)
        levels = np.full((*cover.shape, 4), ink, np.float32)
        levels[..., 3] = cover
        return encode(levels)

    return draw


def small_frame(digit: Mask, random: Random) -> bytes:
    """MNIST's own pixels in a frame of one pixel."""
    levels = digit.copy()
    levels[[0, -1]] = levels[:, [0, -1]] = random.uniform(0.5, 1)
    return encode(levels)


def small_rule(digit: Mask, random: Random) -> bytes:
    """MNIST's own pixels with a line through them."""
    levels = digit.copy()
    row = random.integers(4, 24)
    levels[row] = np.maximum(levels[row], random.uniform(0.4, 0.9))
    return encode(levels)


def small_salt(digit: Mask, random: Random) -> bytes:
    """MNIST's own pixels, one in twenty of them white."""
    return encode(np.maximum(digit, random.random(digit.shape) < 0.05).astype(np.float32))


def small_noise(digit: Mask, random: Random) -> bytes:
    """MNIST's own pixels with noise."""
    return encode(digit + 0.1 * random.standard_normal(digit.shape, np.float32))


KINDS = {
    "ruled paper": ruled(squared=False),
    "squared paper": ruled(squared=True),
    "darkly ruled paper": ruled(squared=False, dark=True),
    "darkly squared paper": ruled(squared=True, dark=True),
    "box": box((1, 4)),
    "thick box": box((5, 12)),
    "camera noise": noise(0.05, 0.15),
    "strong noise": noise(0.15, 0.3),
    "coarse noise": noise(0.04, 0.1, blur=1.5),
    "salt and pepper": salt,
    "dirt": dirt,
    "dithered": dithered,
    "screened": screened,
    "neighbour at the edge": neighbour,
    "poor JPEG": jpeg,
    "ruled, noisy, shaded": scan_of_copy,
    "window": window(bar=False),
    "window with a bar": window(bar=True),
    "rounded card": card(dark=False),
    "rounded dark card": card(dark=True),
    "transparent margins": margins,
    "black on nothing": cut_out(0),
    "white on nothing": cut_out(1),
    "28x28, frame": small_frame,
    "28x28, line": small_rule,
    "28x28, salt": small_salt,
    "28x28, noise": small_noise,
}
