"""Which numbers a model takes."""

import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]

MAX_FLOAT32 = float(np.finfo(np.float32).max)

ROUNDING = 1e-6
"""What arithmetic in float32 may add to numbers, as a share of the range's larger end: eight times
its relative precision.
"""

_STANDARDISED = (-3.0, 3.0)
"""Where nearly all standardised numbers lie."""
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class InputRange:
    """The numbers from `low` to `high`, both inclusive, which are rounded to float32.

    Those from `min_accepted` to `max_accepted` are taken for them, since a step in float32 may have
    moved numbers that far. Raises ValueError unless low < high and both are finite.
    """

    low: float
    high: float
    min_accepted: float = field(init=False, compare=False, repr=False)
    max_accepted: float = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            low, high = float(np.float32(self.low)), float(np.float32(self.high))
        # NaN fails each comparison.
        if not -MAX_FLOAT32 <= low < high <= MAX_FLOAT32:
            raise ValueError(f"from {self.low:g} to {self.high:g} is not a range of float32")
        # Adding 0 removes the sign of -0.
        object.__setattr__(self, "low", low + 0.0)
        object.__setattr__(self, "high", high + 0.0)
        margin = ROUNDING * max(abs(low), abs(high))
        least, most = max(low - margin, -MAX_FLOAT32), min(high + margin, MAX_FLOAT32)
        object.__setattr__(self, "min_accepted", float(np.float32(least)))
        object.__setattr__(self, "max_accepted", float(np.float32(most)))

    def __str__(self) -> str:
        """Return `finite` or `[low, high]`, which `parse` reads."""
        if self == FINITE:
            return "finite"
        low, high = (str(np.float32(bound)).removesuffix(".0") for bound in (self.low, self.high))
        return f"[{low}, {high}]"

    def describe(self, noun: str) -> str:
        """Return what is taken, such as "numbers in [0, 1]" or "finite numbers"."""
        return f"finite {noun}" if self == FINITE else f"{noun} in {self}"

    def accepts(self, numbers: Values) -> bool:
        """Whether all numbers, at least one, are in the range but for rounding; NaN is in none."""
        low, high = np.minimum.reduce(numbers, axis=None), np.maximum.reduce(numbers, axis=None)
        return bool(self.min_accepted <= low and high <= self.max_accepted)

    def at(self, shares: Values) -> Values:
        """Return the numbers at `shares` of the range: `low` at 0, `high` at 1.

        Of all finite numbers, those of which most standardised ones lie between.
        """
        low, high = _STANDARDISED if self == FINITE else (self.low, self.high)
        exact = shares.astype(np.float64)
        return (low * (1 - exact) + high * exact).astype(np.float32)


PIXELS = InputRange(0.0, 1.0)
"""What a model takes unless its file says otherwise: 0 is black, 1 is white."""

FINITE = InputRange(-MAX_FLOAT32, MAX_FLOAT32)


def parse(text: str) -> InputRange:
    """Return the range of a text: `finite`, `[low, high]` or `low,high`.

    `PIXELS` and `FINITE` are always the same objects. Raises ValueError.
    """
    try:
        if text == "finite":
            return FINITE
        low, high = json.loads(text if text.startswith("[") else f"[{text}]")
        # Not isinstance: true is an int as well.
        if not {type(low), type(high)} <= {int, float}:
            raise TypeError("bounds are numbers")
        found = InputRange(float(low), float(high))
    # JSON that is nested too deeply is a RecursionError, a number too large an OverflowError.
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{text[:_SHOWN]!r} is not an input range; wanted finite, or [low, high] with low < "
            "high, both of them finite float32"
        ) from error
    return next((known for known in (PIXELS, FINITE) if found == known), found)
