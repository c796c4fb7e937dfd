"""A network whose weights are set by hand: strokes, patterns of strokes, digits; no training.

It is made for images of 28 rows of 28 alone, white ink on black, centred as MNIST's digits are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exporter.network.network import Batch, Layer, Network
from exporter.network.weights_file import Provenance

SIDE = 28
"""Rows and columns of an image."""

STROKE_GAIN = 12.0
"""A tenth more or less of a bar's ink moves a stroke's activation from 0.5 to 0.77 or 0.23."""

PATTERN_GAIN = 2.0
"""A whole stroke more or less moves a pattern's activation from 0.5 to 0.88 or 0.12."""

DIGIT_GAIN = 3.0
"""A whole pattern more or less moves an output from 0.5 to 0.95 or 0.05."""

PROVENANCE: Provenance = {
    "dataset": "MNIST, for inspection only",
    "protocol": "rules set and changed by hand while looking at training images and mistakes",
    "recipe": "no training: strokes, patterns of strokes, digits, each number with its reason",
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """A neuron of the first layer: it fires when more than a share of its bar is inked.

    The bar's centre is at `column` and `row`, counted from 0 at the upper left pixel; `length` and
    `width` are in pixels, `angle` in degrees: 0 lies, 45 rises to the right, 90 stands. At an inked
    share of `share`, in [0, 1], the activation is 0.5. `why` says what the bar is there for.

    Three shares do: 0.4 for a bar of three pixels, which is as wide as a pen and rarely hit in
    full; 0.35 for one of four, which a pen can't fill; 0.25 for places far from the middle, where
    each hand goes somewhere else.
    """

    name: str
    column: float
    row: float
    length: float
    angle: float
    width: float
    share: float
    why: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A neuron of the second layer: it fires when its strokes add up to more than `threshold`.

    `strokes` gives strokes' names a weight from -3 to 3, those that speak for it first. All others
    weigh 0. `why` says what is looked for, and why some count more than once. The threshold was set
    by looking at what each class adds up to in the mean.
    """

    name: str
    strokes: Mapping[str, int]
    threshold: float
    why: str


@dataclass(frozen=True, slots=True)
class Digit:
    """An output neuron: it is bright when its patterns add up to more than `threshold`.

    The threshold lies between what the digit adds up to and what each other one does, in the mean.
    """

    label: str
    patterns: Mapping[str, int]
    threshold: float
    why: str


# A table is read by its rows, which the formatter would take apart.
# fmt: off
STROKES = (
    Stroke("top bar", 14, 6, 8, 0, 3, 0.4,
           "The arch of 0, 2, 3 and 8, the flag of 5; 7 and 9 begin lower, 4 is open."),
    Stroke("high bar", 14.5, 8, 6, 0, 3, 0.4,
           "Where 7 and 9 have their bar and arch: their long stems push it down to here."),
    Stroke("tip", 21, 7, 4, 0, 4, 0.25,
           "The end of 5's flag; also the right shoulder of 0 and 8. 6 has nothing there."),
    Stroke("crown", 16, 4, 5, 0, 3, 0.25,
           "Ink this high: the start of 6, the arch of 2. Hardly ever 4, 7 or 9."),
    Stroke("upper hole", 14, 9.5, 3, 90, 3, 0.4,
           "Inside the upper loop: inked by 1's line and 7's bar, left out by 2 and 4."),
    Stroke("upper left", 10, 11.5, 4, 60, 4, 0.35,
           "The left of an upper loop, of 4, 5 and 6. 1, 2 and 3 are open there."),
    Stroke("upper right", 18, 10.5, 5, 70, 4, 0.35,
           "The right of an upper loop, of 4 and 7. 5 and 6 are open there."),
    Stroke("centre", 14, 14, 4, 75, 3, 0.4,
           "The middle of the image: empty in 0, mostly in 7, crossed by all the others."),
    Stroke("left", 7.5, 14, 5, 90, 4, 0.25,
           "The far left at half height: 0, 4, often 9 and 6. 8 has its waist there."),
    Stroke("right", 20, 15, 5, 90, 4, 0.25,
           "The far right at half height: 0 and 6. 8 has its waist there."),
    Stroke("rising", 11, 16.5, 5, 45, 4, 0.35,
           "A slant at the lower left: of 2, of 8's crossing, of 6's loop. 3, 5 and 7 lack it."),
    Stroke("lower hole", 14, 18, 3, 90, 3, 0.4,
           "Inside the lower loop: inked by the stem of 1 and 7, left out by 0, 3 and 5."),
    Stroke("lower left", 7.5, 18, 5, 90, 4, 0.25,
           "The far left below: 0, the foot of 2, a wide 6. 1 and 7 have nothing there."),
    Stroke("lower right", 18.5, 18.5, 5, 75, 4, 0.25,
           "The right below: the belly of 0, 3, 5 and 6, the foot of 2."),
    Stroke("left tail", 8, 21, 5, 0, 3, 0.25,
           "The end of 3 and 5, the foot of 2. 4, 7 and 9 have nothing there."),
    Stroke("bottom bar", 13, 22.5, 6, 0, 3, 0.4,
           "The bottom of 0, 3, 5 and 8. 6 and 2 stand higher, 4 and 9 have only a stem there."),
)

PATTERNS = (
    Pattern("ring",
            {"lower left": 2, "left": 1, "right": 1, "upper right": 1, "bottom bar": 1,
             "centre": -3, "rising": -1}, 3,
            "Ink all around; the lower left counts twice, few others have it. Ink inside forbids "
            "it, most in the centre."),
    Pattern("upright",
            {"centre": 2, "upper hole": 1,
             "left": -2, "right": -2, "upper left": -2, "lower left": -2, "lower right": -2}, 1.5,
            "A line through the middle, and nothing on either side. No word on the upper right: "
            "a slanted line ends there."),
    Pattern("loop on top",
            {"high bar": 2, "upper left": 2, "upper right": 2, "centre": 2,
             "upper hole": -1, "lower left": -2, "left tail": -1}, 4.5,
            "All four sides of a loop, its hole empty, and below it nothing on the left."),
    Pattern("open to the left above",
            {"upper right": 2, "top bar": 1, "upper left": -2, "left": -2}, 1.5,
            "An arch that comes down on the right alone: the upper half of 2, 3 and 7."),
    Pattern("flag",
            {"upper left": 2, "tip": 2, "top bar": 1, "upper right": -2, "right": -1}, 2,
            "A bar on top that hangs on the left alone: the upper half of 5."),
    Pattern("open on top",
            {"left": 2, "upper right": 2, "upper left": 1, "centre": 1,
             "high bar": -3, "top bar": -2, "lower right": -2, "lower left": -1}, 1.75,
            "Two arms joined by a bar, no roof, no belly: 4. The roof is what 9 has more, so it "
            "weighs most."),
    Pattern("loop below",
            {"rising": 1, "right": 1, "lower right": 1, "upper left": 1, "crown": 1,
             "upper right": -2, "tip": -1, "left tail": -1, "bottom bar": -1}, 1.75,
            "A loop that hangs on a stroke from above, the upper right open: 6. It stands higher "
            "than 3, 5 and 8, so their ends speak against it."),
    Pattern("open to the left below",
            {"lower right": 1, "bottom bar": 1, "left tail": 1,
             "rising": -2, "left": -1, "lower left": -1, "lower hole": -1}, 0.5,
            "A belly on the right, with a tail and nothing on the left: the lower half of 3 and "
            "5. The slant would make it a 2 or an 8, so it counts twice."),
    Pattern("foot",
            {"lower right": 2, "rising": 1, "lower left": 1, "lower hole": 1, "upper right": 1,
             "top bar": 1, "upper left": -2, "left": -1, "bottom bar": -1}, 3.5,
            "An arch above, a slant down to a foot: 2. A slanted 1 has the slant but no foot on "
            "the right, which counts twice; the upper left is what 6 and 8 have more."),
    Pattern("stem",
            {"left tail": -2, "lower left": -1, "lower right": -1, "right": -1, "rising": -1,
             "crown": -1}, -2,
            "Nothing beside the middle below: 1, 4, 7 and 9. Fires unless two strokes object; 4, "
            "7 and 9 hardly ever have the tail, so it counts as two."),
    Pattern("crossing",
            {"rising": 3, "centre": 2, "top bar": 2, "upper left": 2, "upper right": 1,
             "bottom bar": 1, "left": -2, "right": -1, "lower left": -1, "lower right": -1}, 5.5,
            "Closed above and below, crossed in the middle, with a waist on both sides: 8. The "
            "slant tells it from 3 and 5, so it counts thrice; the left waist tells it from 9."),
    Pattern("roof",
            {"upper right": 2, "high bar": 1, "upper hole": 1,
             "centre": -2, "left": -2, "rising": -1, "left tail": -1}, 1.25,
            "A bar and its right end, with nothing below on the left: 7. The centre is what 9 "
            "has more, the left what 0 has more."),
    Pattern("flat bottom",
            {"bottom bar": 1, "left tail": 1}, 1,
            "A bottom that is wider than a stem: one of both strokes is enough for half."),
    Pattern("two bows",
            {"upper right": 1, "lower right": 1, "centre": 1, "left tail": 1,
             "upper left": -2, "rising": -2, "left": -1, "lower left": -1, "lower hole": -1}, 0.25,
            "Everything on the right and in the middle, nothing on the left but the tail: 3. The "
            "upper left tells it from 5, the slant from 2 and 8; each counts twice."),
    Pattern("S bend",
            {"tip": 2, "upper left": 1, "centre": 1, "left tail": 1, "bottom bar": 1,
             "upper right": -2, "rising": -2, "right": -1, "lower left": -1}, 1.25,
            "From the tip over the upper left and the middle to the tail: 5. The tip counts "
            "twice, it is what 3 lacks; the upper right and the slant are what 5 lacks."),
    Pattern("left side",
            {"upper left": 1, "left": 1, "lower left": 1}, 1.5,
            "A stroke down the left: two of three places. 0, 4 and 6 have it, 1, 3 and 7 don't."),
)

DIGITS = (
    Digit("0",
          {"ring": 3, "left side": 1, "stem": -1, "loop below": -1, "open to the left above": -1,
           "open on top": -1}, 2,
          "A ring without a stem. The rest keeps away 6, 2, 3 and 4 that miss the centre."),
    Digit("1",
          {"upright": 3, "stem": 1, "left side": -1, "flat bottom": -1, "roof": -1, "crossing": -1,
           "open to the left below": -1}, 1.5,
          "An upright line, which is a stem too. A left side is 4 or 6, a flat bottom or a "
          "crossing 8, a roof 7, open to the left below 3."),
    Digit("2",
          {"foot": 2, "open to the left above": 1, "stem": -1, "ring": -1, "upright": -1,
           "crossing": -1}, 1.25,
          "A foot, under an arch. A stem is 7, a ring 0, a crossing 8, an upright 1."),
    Digit("3",
          {"two bows": 2, "open to the left above": 1, "open to the left below": 1, "stem": -1,
           "ring": -1, "S bend": -1, "upright": -1, "foot": -1, "crossing": -1}, 1.5,
          "Two bows, both open to the left. An S bend is 5, a foot 2, a crossing 8, a ring 0, an "
          "upright 1, a stem 7 or 9."),
    Digit("4",
          {"open on top": 3, "stem": 1, "left side": 1, "roof": -2, "flat bottom": -1,
           "loop on top": -1, "upright": -1, "loop below": -1}, 2,
          "Open on top, a stem below, a left side. A roof is 7, twice as surely as a loop on top "
          "is 9: some 4 are closed. An upright is 1, a loop below 6, a flat bottom 8."),
    Digit("5",
          {"S bend": 2, "flag": 1, "open to the left below": 1, "two bows": -2, "ring": -2,
           "loop below": -1, "upright": -1, "crossing": -1}, 1.25,
          "An S bend, a flag, a belly. Two bows are 3, a ring is 0: these share most with 5, so "
          "they count twice. A loop below is 6, a crossing 8, an upright 1."),
    Digit("6",
          {"loop below": 3, "left side": 1, "stem": -1, "ring": -1, "open on top": -1,
           "S bend": -1}, 1.75,
          "A loop below, and a left side. Open on top is 4, an S bend 5, a ring 0, a stem 9."),
    Digit("7",
          {"roof": 3, "stem": 1, "open to the left above": 1, "foot": -1, "left side": -1,
           "two bows": -1}, 1.5,
          "A roof on a stem, open to the left. A foot is 2, two bows are 3, a left side is 9."),
    Digit("8",
          {"crossing": 3, "flat bottom": 1, "stem": -1, "upright": -1, "foot": -1,
           "open to the left above": -1}, 2,
          "A crossing, on a wide bottom. Open to the left above is 3, a foot 2, a stem 9, an "
          "upright a broad 1."),
    Digit("9",
          {"loop on top": 3, "stem": 1, "flat bottom": -1, "foot": -1, "crossing": -1,
           "open on top": -1, "two bows": -1, "roof": -1}, 1.5,
          "A loop on a stem. A flat bottom or a crossing is 8, open on top 4, a roof 7, a foot "
          "2, two bows are 3."),
)
# fmt: on

NEURON_NAMES = ([stroke.name for stroke in STROKES], [pattern.name for pattern in PATTERNS])
"""Of both hidden layers."""


def build() -> Network:
    """Return the network: 784 pixels, 16 strokes, 16 patterns, 10 digits, all sigmoids."""
    bars = np.stack([draw_bar(stroke).ravel() for stroke in STROKES])
    patterns = _weigh([rule.strokes for rule in PATTERNS], [stroke.name for stroke in STROKES])
    digits = _weigh([digit.patterns for digit in DIGITS], [pattern.name for pattern in PATTERNS])
    return Network(
        (
            _layer(bars, [stroke.share for stroke in STROKES], STROKE_GAIN),
            _layer(patterns, [pattern.threshold for pattern in PATTERNS], PATTERN_GAIN),
            _layer(digits, [digit.threshold for digit in DIGITS], DIGIT_GAIN),
        ),
        tuple(digit.label for digit in DIGITS),
    )


def draw_bar(stroke: Stroke) -> Batch:
    """Return the bar of a stroke (28, 28), how much of each pixel it covers, scaled to sum to 1.

    Times an image it is the inked share of the bar.
    """
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    right, up = columns - stroke.column, stroke.row - rows
    angle = math.radians(stroke.angle)
    along = math.cos(angle) * right + math.sin(angle) * up
    across = math.cos(angle) * up - math.sin(angle) * right
    # A pixel that the border goes through is covered in part: bars may lie between pixels.
    covered: Batch = np.clip((stroke.length + 1) / 2 - np.abs(along), 0, 1)
    covered *= np.clip((stroke.width + 1) / 2 - np.abs(across), 0, 1)
    bar: Batch = covered / covered.sum()
    return bar


def _weigh(rows: Sequence[Mapping[str, int]], names: Sequence[str]) -> Batch:
    """Return the weights (rows, names): what each row gives to each name, 0 where it is silent."""
    return np.array([[row.get(name, 0) for name in names] for row in rows], np.float32)


def _layer(weights: Batch, thresholds: Sequence[float], gain: float) -> Layer:
    """Return the neurons sigmoid(gain * (weights @ inputs - threshold))."""
    biases = -gain * np.array(thresholds, np.float32)
    return Layer(np.float32(gain) * weights, biases, "sigmoid")
