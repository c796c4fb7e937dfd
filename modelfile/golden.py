"""Whether a model computes the answers to its golden images, as exactly as float32 can."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from modelfile.rounding import Computed, Layer, Values, compute

ANSWERS_TOLERANCE = 1e-5
"""How far golden answers that NumPy computed in float32 may be, at least, from what float64 makes
of the weights; relative for activations beyond 1.
"""

_MANY = 100
_AT_ONCE = 8
"""Golden images whose activations are in memory at a time, as many as the exporter writes."""
_FLOAT64 = 2.0**-20
"""More than the part of float32's error that is left with float64, which is 2^-29."""


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """How far golden answers are from what float64 computes, and what was found from that.

    `answers` and `found` are in multiples of what is allowed: 1 and less is right. `difference` is
    the largest between found and golden answers, relative for activations beyond 1.
    """

    answers: float
    found: float
    difference: float

    @property
    def passes(self) -> bool:
        """Whether both are right; NaN is not."""
        return self.answers <= 1 and self.found <= 1

    def __str__(self) -> str:
        """Return the figures, in words that follow "the largest difference is"."""
        times = self.found if self.answers <= 1 else self.answers
        figure = f"{times:.2g}" if times < _MANY else f"{times:,.0f}"
        return f"{self.difference:.2g}, {figure} times what rounding can explain"


def check_answers(
    layers: Sequence[Layer],
    pixels: Values,
    answers: Values,
    found: Values,
    is_float64: bool,
) -> GoldenCheck:
    """Check golden `answers` (E, classes) to `pixels` (E, n_in), and what was `found` for them.

    The answers must be those of the layers' weights: of what float64 computes when the file says
    that they are (`is_float64`), else as far from it as float32 may be. What was found may be that
    far as well.
    """
    answers_error = found_error = 0.0
    for start in range(0, len(pixels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        exact = last(compute(layers, pixels[part]))
        wanted = _for_float64(exact) if is_float64 else _for_float32(exact)
        # Not max: NaN must stay.
        answers_error = float(np.maximum(answers_error, wanted.error(answers[part])))
        found_error = float(np.maximum(found_error, exact.error(found[part])))
    return GoldenCheck(answers_error, found_error, golden_difference(found, answers))


def golden_difference(activations: Values, expected: Values) -> float:
    """Return the largest difference (N, classes); relative for expected activations beyond 1."""
    return float(np.max(np.abs(activations - expected) / np.maximum(1.0, np.abs(expected))))


def last(layers: Iterable[Computed]) -> Computed:
    """Return the outputs without keeping the layers before them."""
    for layer in layers:
        output = layer
    return output


def _for_float64(exact: Computed) -> Computed:
    """Allow what differs between float64 on two processors, and rounding to float32 once."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.spacing(np.abs(exact.activations).astype(np.float32)).astype(np.float64)
    return Computed(exact.activations, rounded + _FLOAT64 * exact.allowed)


def _for_float32(exact: Computed) -> Computed:
    """Allow what the machine that exported a file may have computed otherwise."""
    floor = ANSWERS_TOLERANCE * np.maximum(1, np.abs(exact.activations))
    return Computed(exact.activations, np.maximum(exact.allowed, floor))
