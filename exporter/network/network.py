"""The network: layers of neurons, each a weighted sum, a bias and an activation function.

As in 3Blue1Brown's videos on neural networks (2017): a layer's activations are sigmoid(W a + b),
where a are those of the layer before it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporter.errors import ExporterError
from modelfile.activations import ACTIVATIONS
from modelfile.input_range import PIXELS, InputRange
from modelfile.labels import fault_of_labels

Batch = npt.NDArray[np.float32]
"""Images, activations, weights or biases as float32."""


class NetworkError(ExporterError):
    """Layers, labels or a batch that don't fit together."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer: activation(batch @ weights.T + biases).

    `weights` (n_out, n_in) and `biases` (n_out,) are float32 and finite; the layer keeps read-only
    copies. Row i of the weights belongs to neuron i. `activation` is a key of ACTIVATIONS. Raises
    NetworkError when something doesn't fit.
    """

    weights: Batch
    biases: Batch
    activation: str

    def forward(self, batch: Batch) -> Batch:
        """Return the activations (N, n_out) for those of the layer before, (N, n_in)."""
        z = batch @ self.weights.T + self.biases
        return ACTIVATIONS[self.activation](z)

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise NetworkError(f"weights: shape {self.weights.shape}, wanted (n_out, n_in)")
        if self.biases.shape != self.weights.shape[:1]:
            raise NetworkError(
                f"biases: shape {self.biases.shape}, wanted {self.weights.shape[:1]}, one for each "
                f"row of the weights {self.weights.shape}"
            )
        for name, values in (("weights", self.weights), ("biases", self.biases)):
            if values.dtype != np.float32:
                raise NetworkError(f"{name}: {values.dtype}, wanted float32")
            if not np.isfinite(values).all():
                raise NetworkError(f"{name}: not all are finite numbers")
            copy = np.array(values, order="C")
            copy.flags.writeable = False
            object.__setattr__(self, name, copy)
        if self.activation not in ACTIVATIONS:
            raise NetworkError(
                f"activation: {self.activation!r}, wanted one of {', '.join(ACTIVATIONS)}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers from input to output, the name of each output neuron's class, and the inputs it takes.

    Raises NetworkError when there are no layers, when neighbours' sizes don't fit, or
    when there isn't one valid label (`modelfile.labels`) for each output.
    """

    layers: tuple[Layer, ...]
    labels: tuple[str, ...]
    input_range: InputRange = PIXELS

    def forward(self, batch: Batch) -> list[Batch]:
        """Return every layer's activations (N, neurons) for a float32 batch (N, n_inputs).

        The last are the outputs (N, classes). Raises NetworkError for another shape or dtype.
        """
        if batch.ndim != 2 or batch.shape[1] != self.n_inputs or batch.dtype != np.float32:
            raise NetworkError(
                f"batch: {batch.dtype} {batch.shape}, wanted float32 (N, {self.n_inputs})"
            )
        activations: list[Batch] = []
        for layer in self.layers:
            batch = layer.forward(batch)
            activations.append(batch)
        return activations

    def accuracy(self, images: Batch, labels: npt.NDArray[np.integer]) -> float:
        """Return the share of images (N, n_inputs) whose brightest output is their label (N,)."""
        return float(np.mean(self.forward(images)[-1].argmax(axis=1) == labels))

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError("layers: none, wanted at least one")
        for index in range(1, len(self.layers)):
            n_inputs, n_neurons = self.layers[index].weights.shape[1], self.sizes[index]
            if n_inputs != n_neurons:
                raise NetworkError(
                    f"layers: layer {index + 1} takes {n_inputs} inputs, but layer {index} has "
                    f"{n_neurons} neurons"
                )
        if len(self.labels) != self.sizes[-1]:
            raise NetworkError(f"labels: {len(self.labels)} for {self.sizes[-1]} output neurons")
        if fault := fault_of_labels(self.labels):
            raise NetworkError(f"labels: {fault}; give each class a name of its own")

    @property
    def n_inputs(self) -> int:
        """Pixels of one image."""
        return int(self.layers[0].weights.shape[1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer from the input to the output, such as (784, 16, 16, 10)."""
        return (self.n_inputs, *(len(layer.biases) for layer in self.layers))

    @property
    def parameters(self) -> list[Batch]:
        """The weights and biases W1, b1, W2, b2, ..."""
        return [array for layer in self.layers for array in (layer.weights, layer.biases)]

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        return sum(array.size for array in self.parameters)
