"""What a network saw and said in training, so that whoever serves it can tell when that changes.

As a record, a JSON object that weights files and models carry:

- `labels`: the share of the training images that got each label, in the labels' order
- `winning_activation` (the brightest output), `margin` (that less the second brightest) and `ink`
  (the mean pixel), each with ascending `bounds` and `shares`, the share of the images between each
  bound, inclusive, and the one before; the last share is of what lies beyond all bounds
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelfile.input_range import FINITE, PIXELS, InputRange

LABELS, WINNING, MARGIN, INK = "labels", "winning_activation", "margin", "ink"

_TWENTIETHS = tuple(round(0.05 * step, 2) for step in range(1, 21))
DEFAULT_BOUNDS: Mapping[str, tuple[float, ...]] = {
    WINNING: _TWENTIETHS,
    MARGIN: _TWENTIETHS,
    # Fine where the mean pixel of a drawing lies: most digits have 0.05 to 0.25.
    INK: (*(round(0.02 * step, 2) for step in range(1, 16)), 0.4, 0.5, 0.75, 1.0),
}

_FINITE_INK = (-10.0, -3.0, -1.0, -0.3, -0.1, 0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Around 0, where the mean of standardised numbers lies."""

MAX_BOUNDS = 100


@dataclass(frozen=True, slots=True)
class Reference:
    """Bounds of each distribution's bins, and the share of the training images in each bin.

    `shares` has the labels' too, and is empty when the network was not measured.
    """

    bounds: Mapping[str, tuple[float, ...]]
    shares: Mapping[str, tuple[float, ...]]


UNMEASURED = Reference(DEFAULT_BOUNDS, {})


def encode_reference(reference: Reference) -> dict[str, Any]:
    """Return the record of a network that was measured."""
    distributions = {
        name: {"bounds": list(bounds), "shares": list(reference.shares[name])}
        for name, bounds in reference.bounds.items()
    }
    return {LABELS: list(reference.shares[LABELS]), **distributions}


def unmeasured(input_range: InputRange) -> Reference:
    """Return the bounds for a network that was not measured; those of ink lie in its range."""
    if input_range == PIXELS:
        return UNMEASURED
    low, width = input_range.low, input_range.high - input_range.low
    scaled = tuple(low + width * bound for bound in DEFAULT_BOUNDS[INK])
    ink = _FINITE_INK if input_range == FINITE else scaled
    return Reference({**DEFAULT_BOUNDS, INK: ink}, {})


def decode_reference(
    record: Mapping[str, Any] | None, labels: Sequence[str], input_range: InputRange = PIXELS
) -> Reference:
    """Read a record; raises ValueError, TypeError or KeyError when it can't be used."""
    if record is None:
        return unmeasured(input_range)
    bounds = {name: tuple(map(float, record[name]["bounds"])) for name in DEFAULT_BOUNDS}
    shares = {LABELS: tuple(map(float, record[LABELS]))}
    shares |= {name: tuple(map(float, record[name]["shares"])) for name in DEFAULT_BOUNDS}
    for name, values in bounds.items():
        if (
            list(values) != sorted(set(values))
            or not all(map(math.isfinite, values))
            or not 0 < len(values) <= MAX_BOUNDS
        ):
            raise ValueError(f"reference: the bounds of {name} are not ascending, or too many")
        if len(shares[name]) != len(values) + 1:
            raise ValueError(f"reference: {len(shares[name])} shares of {name}, wanted one a bin")
    if len(shares[LABELS]) != len(labels):
        raise ValueError(f"reference: {len(shares[LABELS])} shares for {len(labels)} labels")
    return Reference(bounds, shares)
