"""What a network computes exactly, and how far from that float32 may be on any processor.

The order in which a processor adds, and whether it rounds products first, is its own affair. What
can be said of each order: a sum of n terms is rounded n times, each time by at most 2^-24 of the
partial sum, up or down as it comes, so that errors grow with the square root of n (Higham and Mary,
A New Approach to Probabilistic Rounding Error Analysis, 2019). They then pass through the weights
of the layers that follow and the slopes of their activations.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from modelfile.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE

Values = npt.NDArray[np.float32]
Exact = npt.NDArray[np.float64]

EXACTLY = cast(Mapping[str, Callable[[Exact], Exact]], ACTIVATIONS)
"""They keep the type of the numbers that they are given."""

UNIT = 2.0**-24
"""Half of the distance between 1 and the next float32."""

SAFETY = 16.0
"""Errors of usual sums reach a tenth of what this allows; it covers 3,000 equal terms added one by
one, whose errors all point the same way.
"""

APPROXIMATION = 1e-6
"""How far libraries' exponential functions may be off, next to activations of up to about 1."""

_TINY = float(np.finfo(np.float32).tiny)
_FURTHEST = 2 * float(np.finfo(np.float32).max)
_MAX_EXPONENT = 50.0
_BLOCK_VALUES = 1 << 20
"""Weights that are converted to float64 at a time, 8 MiB."""
_PARTS = 16
"""Partial sums that are looked at."""


class Layer(Protocol):
    """Weights (n_out, n_in) and biases (n_out,), float32, and the name of the activation."""

    @property
    def weights(self) -> Values:
        """A row for each neuron."""

    @property
    def biases(self) -> Values:
        """One for each neuron."""

    @property
    def activation(self) -> str:
        """A key of `modelfile.activations`."""


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """How else a network is computed than by its own layers in float32, in another file say.

    `unit` is the largest rounding of its numbers, `inputs` (N, n_in) how far its inputs may be from
    the images; `terms` has, for each layer, (neurons,) sizes of terms that are biases here.
    """

    unit: float
    inputs: Exact
    terms: Sequence[Exact]


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """A layer's activations (N, neurons), and how far from them float32 may be, of that shape."""

    activations: Exact
    allowed: Exact

    def at(self, images: npt.NDArray[np.intp]) -> "Computed":
        """Return what was computed for some of the images, by their indices."""
        return Computed(self.activations[images], self.allowed[images])

    def error(self, found: npt.NDArray[np.floating]) -> float:
        """Return how far `found` (N, neurons) is, at most, in multiples of what is allowed.

        Raises ValueError for another shape.
        """
        if found.shape != self.activations.shape:
            raise ValueError(f"activations of shape {found.shape}, not {self.activations.shape}")
        return float(np.max(np.abs(found - self.activations) / self.allowed))


def compute(
    layers: Iterable[Layer], images: npt.NDArray[np.floating], other: Other | None = None
) -> Iterator[Computed]:
    """Compute each layer in float64 for images (N, n_in); the last are the outputs."""
    activations = images.astype(np.float64)
    allowed = np.zeros_like(activations) if other is None else other.inputs
    unit = UNIT if other is None else other.unit
    terms = repeat(np.zeros(1)) if other is None else iter(other.terms)
    with np.errstate(over="ignore", under="ignore"):
        for layer in layers:
            z, error = _weighted(layer, activations, allowed, unit, next(terms))
            activations = EXACTLY[layer.activation](z)
            floor = _TINY + APPROXIMATION * (unit / UNIT - 1)
            allowed = np.minimum(_ALLOWED[layer.activation](z, error) + floor, _FURTHEST)
            yield Computed(activations, allowed)


def _weighted(
    layer: Layer, activations: Exact, allowed: Exact, unit: float, others: Exact
) -> tuple[Exact, Exact]:
    """Return the sums z (N, n_out), and how far from them float32 may be.

    `others` (n_out,) or (1,) are the sizes of terms that the biases may be made of.
    """
    n_inputs = layer.weights.shape[1]
    shape = len(activations), len(layer.biases)
    z, error = np.empty(shape), np.empty(shape)
    squares = np.concatenate([activations**2, allowed**2])
    rows = max(1, _BLOCK_VALUES // n_inputs)
    for start in range(0, shape[1], rows):
        block = slice(start, start + rows)
        weights = layer.weights[block].astype(np.float64)
        biases = layer.biases[block].astype(np.float64)
        total, peak = np.zeros((len(activations), len(biases))), np.abs(biases)[np.newaxis]
        for columns in np.array_split(np.arange(n_inputs), _PARTS):
            part = slice(columns[0], columns[-1] + 1) if len(columns) else slice(0)
            total += activations[:, part] @ weights[:, part].T
            peak = np.maximum(peak, np.abs(total))
        z[:, block] = total + biases
        terms, passed_on = np.split(squares @ (weights**2).T, 2)
        parts = np.maximum(np.abs(biases), others[block] if len(others) > 1 else others)
        partial = np.maximum(peak, np.abs(z[:, block])) ** 2 + terms + parts**2
        rounding = (SAFETY * unit) ** 2 * (n_inputs + 1) * partial
        error[:, block] = np.sqrt(passed_on) + np.sqrt(rounding) + (n_inputs + 1) * _TINY
    return z, error


def _sigmoid_allowed(z: Exact, error: Exact) -> Exact:
    """Its steepest slope within the error is where z comes closest to 0."""
    nearest = EXACTLY["sigmoid"](-np.maximum(np.abs(z) - error, 0))
    return np.minimum(nearest * (1 - nearest) * error, 1) + APPROXIMATION


def _tanh_allowed(z: Exact, error: Exact) -> Exact:
    nearest = np.tanh(np.maximum(np.abs(z) - error, 0))
    return np.minimum((1 - nearest**2) * error, 2) + APPROXIMATION


def _selu_allowed(z: Exact, error: Exact) -> Exact:
    negative = SELU_ALPHA * np.exp(np.minimum(z + error, 0))
    slope = np.where(z > error, 1, np.maximum(1, negative))
    slope = np.where(z + error < 0, negative, slope)
    allowed: Exact = SELU_SCALE * slope * error + APPROXIMATION
    return allowed


def _softmax_allowed(z: Exact, error: Exact) -> Exact:
    """A share p becomes p r / (p r + 1 - p), where r <= exp(2 error): others move the other way."""
    shares = EXACTLY["softmax"](z)
    worst = error.max(axis=1, keepdims=True)
    growth = np.expm1(np.minimum(2 * worst, _MAX_EXPONENT))
    # The sum of the exponentials is rounded as well.
    growth += SAFETY * UNIT * np.sqrt(z.shape[1])
    allowed: Exact = np.minimum(np.minimum(shares, 1 - shares) * growth, 1) + APPROXIMATION
    return allowed


_ALLOWED: Mapping[str, Callable[[Exact, Exact], Exact]] = {
    "identity": lambda _z, error: error,
    "relu": lambda z, error: np.where(z + error > 0, error, 0),
    "sigmoid": _sigmoid_allowed,
    "tanh": _tanh_allowed,
    "selu": _selu_allowed,
    "softmax": _softmax_allowed,
}
"""How far activations may be off, from z and how far that may be (N, neurons)."""
