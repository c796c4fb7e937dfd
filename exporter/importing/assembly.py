"""Turns a source into a network: each layer ordered, transposed, scaled and converted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exporter.importing.arrangement import arrange
from exporter.importing.source import Array, Choices, Source, SourceLayer
from exporter.network.arrays import MIN_INTEGER_BYTES, WeightsError, to_names
from exporter.network.network import Batch, Layer, Network
from modelfile.activations import ACTIVATIONS
from modelfile.image_layout import ImageLayout
from modelfile.input_range import PIXELS, InputRange

ALL = tuple(ACTIVATIONS)
HIDDEN = tuple(name for name in ALL if name != "softmax")
OUTPUTS = ("softmax", "sigmoid", "identity")

MAX_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A network, the layers that it was made of, and a line for each thing that was changed.

    `transposed` is whether the layers' weights were; `checked` how near the network's
    answers are to its file's, where that could be tried; `image_layout` what the file says of it.
    """

    network: Network
    origin: str
    layers: tuple[SourceLayer, ...]
    transposed: bool
    notes: tuple[str, ...]
    checked: str | None = None
    image_layout: ImageLayout | None = None


def assemble(source: Source, choices: Choices) -> Imported:
    """Return the network of a source, with what the user chose where the source says nothing.

    Raises WeightsError when they don't make a network or contradict each other, NetworkError when
    the labels don't fit.
    """
    ordered, transposed, arranged = arrange(source, choices)
    activations = _activations(source, choices, len(ordered))
    notes = [*source.notes, *arranged]
    weights, biases = _exact(ordered, transposed)
    missing = [layer.weights_name for layer in ordered if layer.biases is None]
    if missing:
        notes.append(f"no biases beside {', '.join(missing)}: taken as zeros")
    for scaling in (source.scaling, choices.scaling):
        first = weights[0], biases[0]
        weights[0], biases[0] = scaling.fold(*first)
        if not all(map(np.array_equal, first, (weights[0], biases[0]))):
            notes.append(f"inputs were {scaling}: folded into the first layer")
    if len(biases[-1]) == 1:
        output = activations[-1]
        weights[-1], biases[-1] = split_output(weights[-1], biases[-1], output)
        notes.append(
            f"one output neuron z became two, {output}(-z) and {output}(z): weights (-w, w), "
            "biases (-b, b)"
        )
    names = [
        name
        for layer in ordered
        for name in (layer.weights_name, layer.biases_name or f"biases beside {layer.weights_name}")
    ]
    exact = [array for pair in zip(weights, biases, strict=True) for array in pair]
    rounded = [_rounded(name, array) for name, array in zip(names, exact, strict=True)]
    given = [array for layer in ordered for array in (layer.weights, layer.biases)]
    dtypes = {str(array.dtype) for array in given if array is not None} - {"float32"}
    if dtypes:
        conversion = f"converted from {', '.join(sorted(dtypes))} to float32"
        notes.append(f"{conversion}: {_rounding(names, exact, rounded)}")
    network = Network(
        tuple(map(Layer, rounded[::2], rounded[1::2], activations)),
        _labels(source, choices, len(biases[-1])),
        _input_range(source, choices),
    )
    _check_activations(network)
    return Imported(network, source.origin, ordered, transposed, tuple(notes))


def split_output(weights: Array, biases: Array, activation: str) -> tuple[Array, Array]:
    """Return the two output neurons, for no and for yes, of a network with one: -z and z.

    Since 1 - sigmoid(z) = sigmoid(-z), they hold 1 - p and p where the one held p; the identity
    keeps the brighter one right. Raises WeightsError for any other activation.
    """
    if activation not in ("sigmoid", "identity"):
        raise WeightsError(
            f"output: {activation} of one neuron can't tell two classes apart, wanted sigmoid or "
            "identity"
        )
    return np.concatenate([-weights, weights]), np.concatenate([-biases, biases])


def _exact(ordered: Sequence[SourceLayer], transposed: bool) -> tuple[list[Array], list[Array]]:
    """Return weights (n_out, n_in) and biases (n_out,) of each layer as float64."""
    weights = [_numbers(layer.weights_name, layer.weights) for layer in ordered]
    if transposed:
        weights = [matrix.T for matrix in weights]
    biases = [
        np.zeros(len(matrix))
        if layer.biases is None
        else _numbers(layer.biases_name, layer.biases).reshape(-1)
        for layer, matrix in zip(ordered, weights, strict=True)
    ]
    return weights, biases


def _activations(source: Source, choices: Choices, n_layers: int) -> tuple[str, ...]:
    """Return each layer's activation, from the source or the user but never guessed."""
    n_hidden = n_layers - 1
    chosen = choices.activation
    hidden = _agreed(
        "activation",
        _for_each(source.activations, n_hidden),
        _for_each((chosen,) if isinstance(chosen, str) else chosen, n_hidden),
    )
    output = _agreed(
        "output", *(None if name is None else (name,) for name in (source.output, choices.output))
    )
    if hidden is None and n_hidden:
        raise WeightsError(
            "activation: arrays don't tell what the hidden layers compute; give it as "
            f"activation, --activation on the command line: one of {', '.join(HIDDEN)}"
        )
    if output is None:
        raise WeightsError(
            "output: arrays don't tell what the output layer computes; give it as output, "
            f"--output-activation on the command line: one of {', '.join(OUTPUTS)}; a network "
            "whose loss takes logits ends in identity"
        )
    for field, names, known in (("activation", hidden or (), HIDDEN), ("output", output, ALL)):
        for name in names:
            if name not in known:
                raise WeightsError(f"{field}: {name!r}, wanted one of {', '.join(known)}")
    return (*(hidden or ()), *output)


def _for_each(names: Sequence[str] | None, n_hidden: int) -> tuple[str, ...] | None:
    """Return a name for each hidden layer; a single one is for all."""
    if names is None:
        return None
    per_layer = tuple(names) * n_hidden if len(names) == 1 else tuple(names)
    if len(per_layer) != n_hidden:
        raise WeightsError(
            f"activation: {len(per_layer)} names for {n_hidden} hidden layers; give one for all, "
            "or one for each"
        )
    return per_layer


def _agreed(
    field: str, stated: tuple[str, ...] | None, chosen: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return what the source says or the user chose; both only when they are the same."""
    if stated is not None and chosen is not None and stated != chosen:
        raise WeightsError(
            f"{field}: {', '.join(chosen)}, but the source says {', '.join(stated)}; leave it out"
        )
    return chosen if stated is None else stated


def _labels(source: Source, choices: Choices, n_outputs: int) -> tuple[str, ...]:
    """Return the user's labels, else the source's, else 0, 1, 2 and so on."""
    if choices.labels is not None:
        return to_names("labels", np.array(choices.labels))
    return source.labels or tuple(str(index) for index in range(n_outputs))


def _input_range(source: Source, choices: Choices) -> InputRange:
    """Return the range that the source or the user gives, else [0, 1].

    Raises WeightsError when they differ, or the means of a scaler lie outside of [0, 1].
    """
    given = [found for found in (source.input_range, choices.input_range) if found is not None]
    if given:
        if given[0] != given[-1]:
            raise WeightsError(
                f"input_range: {given[-1]}, but the source says {given[0]}; leave it out"
            )
        return given[0]
    mean = np.asarray(source.scaling.mean, np.float64)
    # What the scaler gets from a black and from a white pixel.
    black, white = (choices.scaling.apply(pixel) for pixel in (PIXELS.low, PIXELS.high))
    outside = (mean < np.minimum(black, white)) | (mean > np.maximum(black, white))
    if mean.any() and outside.any():
        raise WeightsError(
            f"input_range: the network was trained on numbers with means from {mean.min():g} to "
            f"{mean.max():g}, which are not {PIXELS.describe('pixels')}; say which it takes with "
            "input_range, --input-range on the command line: LOW,HIGH or finite; or, with "
            "input_scale, what its pixels were multiplied by"
        )
    return PIXELS


def _numbers(name: str, array: Array) -> Array:
    """Return an array as float64; raises WeightsError unless all are numbers that float32 holds."""
    if array.dtype.kind not in "fiub":
        raise WeightsError(f"{name}: {array.dtype}, wanted numbers; save it as float32")
    if array.dtype.kind in "iub" and array.dtype.itemsize < MIN_INTEGER_BYTES:
        raise WeightsError(
            f"{name}: {array.dtype}, as quantised weights are, and what their numbers stand for is "
            "not known; save scale * (weights - zero_point) as float32, or, if they are the "
            "weights, save them as float32"
        )
    if not array.size:
        raise WeightsError(f"{name}: shape {array.shape} is empty, wanted at least one number")
    with np.errstate(invalid="ignore"):
        numbers = array.astype(np.float64)
    wrong = np.argwhere(~(np.abs(numbers) <= MAX_FLOAT32))
    if len(wrong):
        place = wrong[0].tolist()
        raise WeightsError(
            f"{name}: {numbers[tuple(place)]:g} at {place}, wanted finite numbers up to "
            f"{MAX_FLOAT32:.3g}, as float32 has; take the weights from before training went astray"
        )
    return numbers


def _rounded(name: str, array: Array) -> Batch:
    """Return an array as float32; raises WeightsError when scaling took it out of the range."""
    largest = np.abs(array).max()
    if not largest <= MAX_FLOAT32:
        raise WeightsError(
            f"{name}: {largest:g} after scaling, wanted up to {MAX_FLOAT32:.3g}, as float32 has; "
            "check input_scale, input_mean and input_std"
        )
    return array.astype(np.float32)


def _rounding(names: Sequence[str], exact: Sequence[Array], rounded: Sequence[Batch]) -> str:
    """Return the largest change of a number, in words."""
    differences = [float(np.abs(a - b).max()) for a, b in zip(exact, rounded, strict=True)]
    largest = max(differences)
    if not largest:
        return "exactly"
    return f"largest rounding {largest:.2g}, in {names[differences.index(largest)]}"


def _check_activations(network: Network) -> None:
    """Raise WeightsError when the activations of the least, largest or middle inputs overflow."""
    shares = np.repeat(np.array([[0], [1], [0.5]], np.float32), network.n_inputs, axis=1)
    images = network.input_range.at(shares)
    with np.errstate(over="ignore", invalid="ignore"):
        activations = network.forward(images)
    for index, (layer, held) in enumerate(zip(network.layers, activations, strict=True), start=1):
        if not np.isfinite(held).all():
            raise WeightsError(
                f"layer {index}: its activations overflow float32, with weights up to "
                f"{np.abs(layer.weights).max():g} and {network.input_range.describe('inputs')}; "
                "scale the network's weights down"
            )
