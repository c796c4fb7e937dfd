"""A hand that writes with haste: no two of its digits are alike, and all are the same each time."""

from dataclasses import dataclass

import numpy as np

from harness.drawings.strokes import Points
from harness.drawings.ways import WAYS, Way

SEED = 20_260
COUNT = 300
"""As many drawings as there are in the set, the same number of each digit."""

SIDE = 28
"""Rows and columns of the image that is drawn on."""

FINE = 0.01
"""The distance between points from which strokes are made, in heights of a digit."""

USUAL_BRUSH = 2.6
"""How wide the page's brush is before anybody changes it, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A digit as strokes on the page's canvas: points (N, 2) in pixels from its corner, right and
    down, drawn with a brush so many pixels wide.
    """

    digit: int
    way: str
    strokes: tuple[Points, ...]
    brush: float


def draw_all(count: int = COUNT, seed: int = SEED) -> list[Drawing]:
    """Return drawings, the digits in turn and their ways in turn."""
    random = np.random.default_rng(seed)
    ways = [[way for way in WAYS if way.digit == digit] for digit in range(10)]
    chosen = (ways[number % 10][number // 10 % len(ways[number % 10])] for number in range(count))
    return [write(way, random) for way in chosen]


def write(way: Way, random: np.random.Generator) -> Drawing:
    """Return a digit as the hand writes it this time."""
    slant, turn = random.normal(0.1, 0.15), np.radians(random.normal(0, 4))
    height = random.uniform(0.45, 0.85) * SIDE
    width = height * random.uniform(0.75, 1.3)
    shear = np.array([[1, 0], [-slant, 1]])
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    roundness, bends = random.uniform(0, 0.06), _bends(random)
    # Quick strokes have few points, as a mouse tells where it is so many times a second.
    step, tremor = height / random.uniform(8, 40), random.uniform(0, 0.15)
    strokes = []
    for stroke in way.strokes:
        points = _round_corners(_resample(stroke, FINE), roundness)
        points = _bend(points, bends) + random.normal(0, 0.015, 2)
        points = _resample(points * [width, height] @ shear @ rotation, step)
        strokes.append(points + random.normal(0, tremor, points.shape))
    brush = USUAL_BRUSH if random.random() < 0.7 else random.uniform(1.6, 4.0)
    return Drawing(way.digit, way.name, _place(strokes, brush, random), brush)


def _resample(points: Points, step: float) -> Points:
    """Return points at equal distances along a stroke, both ends included."""
    lengths = np.hypot(*np.diff(points, axis=0).T)
    places = np.concatenate([[0], np.cumsum(lengths)])
    wanted = np.linspace(0, places[-1], max(2, round(places[-1] / step) + 1))
    return np.stack([np.interp(wanted, places, axis) for axis in points.T], axis=1)


def _round_corners(points: Points, radius: float) -> Points:
    """Return a stroke, in steps of FINE, without corners sharper than about a radius."""
    reach = round(3 * radius / FINE)
    if not reach:
        return points
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * FINE / radius) ** 2)
    # It goes on straight at both ends, which stay where they are.
    steps = np.arange(reach, 0, -1)[:, np.newaxis]
    before = points[0] + steps * (points[0] - points[1])
    after = points[-1] + steps[::-1] * (points[-1] - points[-2])
    longer = np.concatenate([before, points, after])
    return np.stack(
        [np.convolve(axis, weights / weights.sum(), mode="valid") for axis in longer.T], axis=1
    )


def _bends(random: np.random.Generator) -> list[Points]:
    """Return waves, by which the whole digit is bent: directions, frequencies and phases."""
    return [
        np.array([random.normal(0, 0.02, 2), random.normal(0, 0.8, 2), random.uniform(0, 7, 2)])
        for _ in range(3)
    ]


def _bend(points: Points, bends: list[Points]) -> Points:
    bent = points
    for amplitude, frequency, (phase, _) in bends:
        bent = bent + np.sin(2 * np.pi * points @ frequency + phase)[:, np.newaxis] * amplitude
    return bent


def _place(strokes: list[Points], brush: float, random: np.random.Generator) -> tuple[Points, ...]:
    """Return a digit's strokes where they are drawn: near the middle, and all on the canvas."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0) - brush / 2, points.max(axis=0) + brush / 2
    room = np.maximum(SIDE - (high - low), 0)
    corner = room * random.uniform(0.2, 0.8, 2)
    return tuple([stroke - low + corner for stroke in strokes])
