"""What a model's images and answers looked like in training, as its file tells.

The exporter writes it: a JSON object with, for each of `winning_activation`, `margin` and `ink`,
ascending `bounds` and the `shares` of the training images up to each and beyond the last, and, for
`labels`, the share of each label.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

ANSWERS, WINNING, MARGIN, INK = "labels", "winning_activation", "margin", "ink"

_TWENTIETHS = tuple(round(0.05 * step, 2) for step in range(1, 21))
_INK = (*(round(0.02 * step, 2) for step in range(1, 16)), 0.4, 0.5, 0.75, 1.0)
DEFAULT_BOUNDS: Mapping[str, Sequence[float]] = {
    WINNING: _TWENTIETHS,
    MARGIN: _TWENTIETHS,
    INK: _INK,
}

MAX_BOUNDS = 100


@dataclass(frozen=True, slots=True)
class Reference:
    """Bounds of the bins, and by the bins' names the share of training images in each.

    `shares` is empty when the model's file does not tell them.
    """

    bounds: Mapping[str, Sequence[float]]
    shares: Mapping[str, Mapping[str, float]]


NONE = Reference(DEFAULT_BOUNDS, {})


def read_reference(text: str | None, labels: Sequence[str]) -> Reference:
    """Return what a model's metadata says; raises ValueError or KeyError when it can't be used."""
    if text is None:
        return NONE
    record = json.loads(text)
    bounds: dict[str, Sequence[float]] = {}
    shares: dict[str, Mapping[str, float]] = {
        ANSWERS: dict(zip(labels, map(float, record[ANSWERS]), strict=True))
    }
    for of in DEFAULT_BOUNDS:
        bounds[of] = tuple(map(float, record[of]["bounds"]))
        if (
            list(bounds[of]) != sorted(set(bounds[of]))
            or not all(map(math.isfinite, bounds[of]))
            or not 0 < len(bounds[of]) <= MAX_BOUNDS
        ):
            raise ValueError(f"reference: the bounds of {of} are not ascending, or too many")
        names = [*map(floatToGoString, bounds[of]), "+Inf"]
        shares[of] = dict(zip(names, map(float, record[of]["shares"]), strict=True))
    return Reference(bounds, shares)
