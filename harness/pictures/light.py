"""Kinds of pictures whose light is uneven, or whose paper ends within them."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from harness.pictures.digits import Mask, Random
from harness.pictures.scenes import (
    SIDE,
    Colours,
    add_noise,
    as_bytes,
    grey,
    hue,
    mask,
    paint,
    photograph,
    radius,
    ramp,
    shade,
)


def page(digit: Mask, random: Random, size: tuple[float, float] = (0.75, 1)) -> Colours:
    """Return dark ink on light paper, evenly lit."""
    colours = grey(random.uniform(0.9, 0.97), random), grey(random.uniform(0.05, 0.15), random)
    return paint(mask(digit, random, size=size), *colours)


def gradient(low: float, high: float) -> Callable[[Mask, Random], bytes]:
    """Return what lets the light fall to a share between `low` and `high` across the page."""

    def draw(digit: Mask, random: Random) -> bytes:
        picture = page(digit, random)
        light = 1 - (1 - random.uniform(low, high)) * ramp(picture.shape, random)
        return photograph(shade(picture, light), random)

    return draw


def shadow(softness: float) -> Callable[[Mask, Random], bytes]:
    """Return what lays a shadow over a part of the page, its edge `softness` pixels wide."""

    def draw(digit: Mask, random: Random) -> bytes:
        picture = page(digit, random)
        slope = ramp(picture.shape, random)
        edge = softness / SIDE
        lit = ((slope - random.uniform(0.3, 0.7)) / edge + 0.5).clip(0, 1)
        dark = random.uniform(0.4, 0.65)
        picture = shade(picture, dark + (1 - dark) * lit)
        return photograph(add_noise(picture, random, 0.01), random)

    return draw


def vignette(digit: Mask, random: Random) -> bytes:
    """Light that falls off towards the corners."""
    picture = page(digit, random)
    light = 1 - random.uniform(0.4, 0.75) * radius(picture.shape) ** 2
    return photograph(shade(picture, light), random)


def lamp(digit: Mask, random: Random) -> bytes:
    """A bright spot somewhere on dim paper."""
    picture = page(digit, random)
    spot = np.zeros(picture.shape[:2], np.float32)
    spot[tuple(random.integers(80, SIDE - 80, 2))] = 1
    spot = ndimage.gaussian_filter(spot, random.uniform(60, 110))
    return photograph(shade(picture, 0.5 + 0.5 * spot / spot.max()), random)


def desk(turn: float) -> Callable[[Mask, Random], bytes]:
    """Return what lays the paper on a dark desk, turned by up to so many degrees."""

    def draw(digit: Mask, random: Random) -> bytes:
        picture = page(digit, random)
        table = hue(random, (0.2, 0.6), (0.1, 0.35))
        side = round(SIDE / random.uniform(1.15, 1.7))
        angle = random.uniform(-turn, turn)
        small = Image.fromarray(as_bytes(picture)).resize((side, side), Image.Resampling.LANCZOS)
        sheet = Image.new("RGBA", (SIDE, SIDE), (*(round(255 * part) for part in table), 255))
        # The sheet's own rectangle is opaque; what turning adds is not.
        turned = small.convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)
        slack = (SIDE - turned.width) // 2
        left, top = (slack + int(random.integers(-12, 13)) for _ in range(2))
        sheet.alpha_composite(turned, (max(left, 0), max(top, 0)))
        levels = np.asarray(sheet.convert("RGB"), np.float32) / np.float32(255)
        return photograph(add_noise(levels, random, 0.015), random)

    return draw


def scanner(n_edges: int) -> Callable[[Mask, Random], bytes]:
    """Return what gives a scan dark edges."""

    def draw(digit: Mask, random: Random) -> bytes:
        picture = page(digit, random, (0.75, 0.95)).copy()
        for turns in random.permutation(4)[:n_edges]:
            width = int(random.integers(4, 22))
            np.rot90(picture, turns)[:, :width] = random.uniform(0.02, 0.25)
        return photograph(picture, random)

    return draw


def shaded_and_noisy(digit: Mask, random: Random) -> bytes:
    """What a telephone makes of paper in the evening: a gradient, noise and little light."""
    picture = page(digit, random)
    light = random.uniform(0.4, 0.7) * (1 - random.uniform(0.2, 0.5) * ramp(picture.shape, random))
    return photograph(add_noise(shade(picture, light), random, random.uniform(0.02, 0.05)), random)


KINDS = {
    "gradient to a half": gradient(0.45, 0.55),
    "gradient to a fifth": gradient(0.15, 0.3),
    "hard shadow": shadow(4),
    "soft shadow": shadow(80),
    "vignette": vignette,
    "lamp": lamp,
    "paper on a dark desk": desk(0),
    "turned paper on a desk": desk(12),
    "one dark edge": scanner(1),
    "three dark edges": scanner(3),
    "gradient, noise, dim": shaded_and_noisy,
}
