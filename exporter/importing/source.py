"""What an origin says of a network, and what a user adds, before anything is checked or changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from exporter.importing.names import Stem
from exporter.network.weights_file import WeightsError
from modelfile.input_range import InputRange

Array = npt.NDArray[Any]

Orientation = Literal["out-in", "in-out"]
"""Whether a row of the weights belongs to a neuron (n_out, n_in), as here and in PyTorch, or to an
input (n_in, n_out), as in scikit-learn and Keras.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """What was done to pixels before a network saw them: (scale * pixel - mean) / std.

    `mean` and `std` are one number, or one for each pixel in any shape.
    """

    scale: float = 1.0
    mean: npt.ArrayLike = 0.0
    std: npt.ArrayLike = 1.0

    def __str__(self) -> str:
        """Return the formula with its numbers, without what changes nothing."""
        formula = "pixel" if self.scale == 1 else f"{self.scale:g} * pixel"
        if np.any(self.mean):
            formula = f"({formula} - {_shown('mean', self.mean)})"
        if np.any(np.not_equal(self.std, 1)):
            formula = f"{formula} / {_shown('std', self.std)}"
        return formula

    def apply(self, number: float) -> Array:
        """Return what becomes of a number, once or for each input."""
        mean, std = (np.asarray(part, np.float64).reshape(-1) for part in (self.mean, self.std))
        result: Array = (self.scale * number - mean) / std
        return result

    def fold(self, weights: Array, biases: Array) -> tuple[Array, Array]:
        """Return the first layer that computes from pixels what this one computes from inputs.

        With scale s, mean m and standard deviation d, for weights W (n_out, n_in) and biases b:

            W (s p - m) / d + b = (W s / d) p + (b - W (m / d)).

        Exact but for the rounding of float64. Raises WeightsError when a number can't be used.
        """
        n_inputs = weights.shape[1]
        mean = _one_or_each("input_mean", self.mean, n_inputs)
        std = _one_or_each("input_std", self.std, n_inputs)
        if not (np.isfinite(self.scale) and self.scale):
            raise WeightsError(f"input_scale: {self.scale}, wanted a finite number other than 0")
        if std.min() <= 0:
            raise WeightsError(
                f"input_std: {std.min():g}, wanted positive numbers; give 1 for a pixel that never "
                "changes"
            )
        # What overflows is refused when the layer becomes float32.
        with np.errstate(over="ignore", invalid="ignore"):
            return weights * (self.scale / std), biases - (weights * (mean / std)).sum(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class SourceLayer:
    """The arrays of one layer as they were found, and what they were called.

    `biases` are None when there are none. `stem` is the path that the names give, which tells the
    layer's place; layers without one are in order. `name` is what users call the layer, if it is
    not the weights' name. `doubt` says why it is imported only when it is asked for.
    """

    weights_name: str
    weights: Array
    biases_name: str = ""
    biases: Array | None = None
    stem: Stem = ()
    name: str = ""
    doubt: str = ""

    @property
    def title(self) -> str:
        """What users call it."""
        return self.name or self.weights_name


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What an origin says of a network; None where it says nothing.

    `orientation` is the origin's habit, which decides when the shapes don't. `activations` are
    those of the hidden layers: one for all, or one for each. `notes` say what the origin did.
    `others` are arrays that are not part of a layer, and why.
    """

    origin: str
    layers: tuple[SourceLayer, ...]
    orientation: Orientation | None = None
    activations: tuple[str, ...] | None = None
    output: str | None = None
    labels: tuple[str, ...] | None = None
    input_range: InputRange | None = None
    scaling: Scaling = Scaling()
    notes: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What a user says of a network; None leaves it to the origin and the shapes.

    `layers` names the layers from input to output; all others are left out.
    """

    activation: str | Sequence[str] | None = None
    output: str | None = None
    orientation: Orientation | None = None
    labels: Sequence[str] | None = None
    scaling: Scaling = Scaling()
    input_range: InputRange | None = None
    layers: Sequence[str] | None = None


def _one_or_each(field: str, given: npt.ArrayLike, n_inputs: int) -> Array:
    """Return one number, or one for each input, as (1,) or (n_inputs,) float64."""
    try:
        numbers = np.asarray(given, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{field}: not numbers ({error})") from error
    if len(numbers) not in (1, n_inputs):
        raise WeightsError(
            f"{field}: {len(numbers)} numbers, wanted one, or one for each of {n_inputs} pixels"
        )
    if not np.isfinite(numbers).all():
        raise WeightsError(f"{field}: not all are finite numbers")
    return numbers


def _shown(word: str, numbers: npt.ArrayLike) -> str:
    return f"{np.asarray(numbers).item():g}" if np.size(numbers) == 1 else f"{word} of each"
