"""Weights files: a network, and what is known of it, as an uncompressed .npz.

- `W1`, `b1`, `W2`, `b2`, ...: weights (n_out, n_in) and biases (n_out,) of each layer: float32, or
  other floats and integers, which become so
- `activations`: the name of each layer's activation, as text
- `labels` (optional): the name of each output's class, as text or integer
- `names1`, `names2`, ... (optional): what each neuron of a hidden layer is called, as text
- `provenance` (optional): a JSON object of texts and numbers, as one text
- `input_range` (optional): the numbers that the network takes: low and high, or the text `finite`;
  [0, 1] when it is missing
- `examples` (optional): float32 images (E, n_in) in that range
- `evaluation`, `reference`, `image_layout` (optional): the JSON objects that
  `exporter.study.records`, `modelfile.reference` and `modelfile.image_layout` describe, each as one
  text
"""

import io
import json
import math
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.errors import reason_of
from exporter.files import READ_ERRORS, ArchiveError, Arrays, pack_npz, read_npz, write_file
from exporter.network.arrays import WeightsError as WeightsError
from exporter.network.arrays import read_texts, to_float32
from exporter.network.network import Batch, Layer, Network, NetworkError
from modelfile.activations import ACTIVATIONS
from modelfile.image_layout import ImageLayout, decode_image_layout, encode_image_layout
from modelfile.input_range import PIXELS, InputRange, parse
from modelfile.labels import fault_of_labels

Provenance = Mapping[str, str | int | float]
"""Where a network comes from: how it was trained, its accuracy and what that was measured on."""

EvaluationRecord = Mapping[str, Any]
"""The JSON object of an evaluation; `exporter.study.records` reads and writes it."""

ReferenceRecord = Mapping[str, Any]
"""The JSON object of how the training images looked; `modelfile.reference` reads it."""

NeuronNames = Sequence[Sequence[str]]

STANDARD_INPUT = Path("-")
"""What `load` reads from the standard input in place of a file."""

RECORDS = ("evaluation", "reference", "image_layout")
INPUT_RANGE = "input_range"
ACTIVATIONS_KEY = "activations"
OTHER_KEYS = (ACTIVATIONS_KEY, "labels", INPUT_RANGE, "provenance", "examples", *RECORDS)
"""What a weights file may hold besides weights and biases."""


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What a weights file holds: a network, where it comes from, example images, an evaluation.

    `examples` (E, n_inputs) float32 in the network's range are meant for the model's golden
    examples; None when the file has none. `evaluation` is None when the network wasn't measured,
    `reference` when its training images weren't there, `image_layout` when they, or the examples,
    have no layout in common; `notes` say what was converted. `neuron_names` are those of each
    hidden layer, none for a layer whose neurons have no names.
    """

    network: Network
    provenance: Provenance
    examples: Batch | None
    evaluation: EvaluationRecord | None = None
    reference: ReferenceRecord | None = None
    image_layout: ImageLayout | None = None
    notes: tuple[str, ...] = ()
    neuron_names: NeuronNames = ()


def save(
    path: Path,
    network: Network,
    *,
    examples: Batch | None = None,
    provenance: Provenance | None = None,
    evaluation: EvaluationRecord | None = None,
    reference: ReferenceRecord | None = None,
    image_layout: ImageLayout | None = None,
    neuron_names: NeuronNames = (),
) -> None:
    """Write a weights file, atomically; the same arguments give the same bytes.

    Raises WeightsError when one of the optional ones can't be stored, OSError when the file can't
    be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for index, layer in enumerate(network.layers, start=1):
        arrays[f"W{index}"], arrays[f"b{index}"] = layer.weights, layer.biases
    arrays["activations"] = np.array([layer.activation for layer in network.layers])
    arrays["labels"] = np.array(network.labels)
    for index, names in enumerate(neuron_names, start=1):
        if names:
            arrays[f"names{index}"] = np.array(names)
    if network.input_range != PIXELS:
        arrays[INPUT_RANGE] = np.array(str(network.input_range))
    if provenance:
        arrays["provenance"] = _encode_object(provenance)
    if examples is not None:
        arrays["examples"] = examples
    layout = None if image_layout is None else encode_image_layout(image_layout)
    for key, record in zip(RECORDS, (evaluation, reference, layout), strict=True):
        if record is not None:
            arrays[key] = _encode_object(record)
    _decode(path, arrays)
    write_file(path, pack_npz(arrays))


def load(
    path: Path,
    input_range: InputRange | None = None,
    activations: Sequence[str] | None = None,
) -> Saved:
    """Read a weights file, or `STANDARD_INPUT`; `input_range` and `activations` replace the file's.

    Activations are one for each layer, or two: the hidden layers' and the output's. Without
    `labels` the classes are called "0", "1", and so on; without `input_range` inputs lie in [0, 1].
    Raises WeightsError when the file is missing, or anything in it is or can't be used.
    """
    try:
        content = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {reason_of(error)}") from error
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise WeightsError(f"{path} is not an .npz file; write it with numpy.savez")
    try:
        arrays = read_npz(content)
    except ArchiveError as error:
        raise WeightsError(f"{path}: {error}") from error
    if input_range is not None:
        arrays[INPUT_RANGE] = np.array(str(input_range))
    if activations is not None:
        hidden = max(0, sum(key.startswith("W") for key in arrays) - 1)
        *before, output = activations
        named = [*before * hidden, output] if len(before) == 1 and hidden else [*activations]
        arrays[ACTIVATIONS_KEY] = np.array(named)
    return _decode(path, arrays)


def read_input_range(array: npt.NDArray[Any]) -> InputRange:
    """Return the range that two numbers or a text stand for; raises WeightsError."""
    if array.size > 2 or array.dtype.kind not in "fiuU":
        raise WeightsError(
            f"{INPUT_RANGE} is {array.dtype} {array.shape}, wanted low and high, or the text finite"
        )
    try:
        return parse(",".join(map(str, array.reshape(-1).tolist())))
    except READ_ERRORS as error:
        # NumPy keeps any numbers in place of letters.
        raise WeightsError(f"{INPUT_RANGE}: {error}") from error


def _encode_object(values: Mapping[str, Any]) -> npt.NDArray[Any]:
    return np.array(json.dumps(dict(values), ensure_ascii=False))


def _decode(path: Path, arrays: Arrays) -> Saved:
    """Return what arrays hold; raises WeightsError, of the file at `path`."""
    try:
        notes: list[str] = []
        network = _read_network(arrays, notes)
        examples = _read_examples(arrays, network)
        provenance = _read_provenance(arrays)
        evaluation, reference, layout = (_read_record(arrays, key) for key in RECORDS)
        image_layout = _decode_layout(layout, network)
        names = tuple(_read_neuron_names(arrays, network))
    except (WeightsError, NetworkError) as error:
        raise WeightsError(f"{path}: {error}") from error
    return Saved(
        network, provenance, examples, evaluation, reference, image_layout, tuple(notes), names
    )


def _decode_layout(record: Mapping[str, Any] | None, network: Network) -> ImageLayout | None:
    try:
        return decode_image_layout(record, network.n_inputs)
    except KeyError as error:
        raise WeightsError(f"image_layout has no {error}") from error
    except (ValueError, TypeError) as error:
        raise WeightsError(f"image_layout can't be used: {error}") from error


def _read_network(arrays: Arrays, notes: list[str]) -> Network:
    n_layers = _count_layers(arrays)
    activations = read_texts(arrays, ACTIVATIONS_KEY, n_layers, "layer")
    for activation in activations or ():
        if activation not in ACTIVATIONS:
            raise WeightsError(
                f"activations has {activation!r}, wanted one of {', '.join(ACTIVATIONS)}"
            )
    n_inputs: int | None = None
    parameters = []
    for index in range(1, n_layers + 1):
        parameters.append(_read_layer(arrays, index, n_inputs, notes))
        n_inputs = len(parameters[-1][1])
    if activations is None:
        example = ",".join([*["relu"] * (n_layers - 1), "softmax"])
        raise WeightsError(
            f"{ACTIVATIONS_KEY} is missing, and with others the same weights are another network; "
            f"name one for each of the {n_layers} layers: export --activations {example}, or, in "
            f"the file, {ACTIVATIONS_KEY}=numpy.array([...]); known are {', '.join(ACTIVATIONS)}"
        )
    layers = tuple(
        Layer(weights, biases, activation)
        for (weights, biases), activation in zip(parameters, activations, strict=True)
    )
    n_outputs = len(parameters[-1][1])
    labels = read_texts(arrays, "labels", n_outputs, "output")
    input_range = read_input_range(arrays[INPUT_RANGE]) if INPUT_RANGE in arrays else PIXELS
    names = labels or tuple(str(index) for index in range(n_outputs))
    return Network(layers, names, input_range)


def _count_layers(arrays: Arrays) -> int:
    """Return the number of layers, after checking that no key is missing and none is unknown."""
    numbered = {key for key in arrays if re.fullmatch(r"[Wb][1-9][0-9]{0,3}", key)}
    n_layers = max((int(key[1:]) for key in numbered), default=1)
    for index in range(1, min(n_layers, len(numbered) + 1) + 1):
        for key in (f"W{index}", f"b{index}"):
            if key not in arrays:
                raise WeightsError(
                    f"{key} is missing; found {', '.join(sorted(arrays)) or 'nothing'}, "
                    "wanted W1, b1, W2, b2 and so on without a gap"
                )
    names = {f"names{index}" for index in range(1, n_layers)}
    unknown = sorted(set(arrays) - numbered - names - set(OTHER_KEYS))
    if unknown:
        raise WeightsError(
            f"{unknown[0]} is an unknown key; known are W1, b1, W2, b2, ..., "
            + ", ".join(OTHER_KEYS)
        )
    return n_layers


def _read_layer(
    arrays: Arrays, index: int, n_inputs: int | None, notes: list[str]
) -> tuple[Batch, Batch]:
    """Return weights and biases of layer `index`, which must take `n_inputs` inputs (None: any
    number); adds to `notes` what was converted.
    """
    weights, biases = arrays[f"W{index}"], arrays[f"b{index}"]
    if biases.ndim != 1 or not len(biases):
        raise WeightsError(
            f"b{index} has shape {biases.shape}, wanted (n_out,): one bias a neuron; give "
            "it one dimension with reshape(-1)"
        )
    n_outputs = len(biases)
    columns = "n_in" if n_inputs is None else n_inputs
    fits = weights.ndim == 2 and weights.shape[0] == n_outputs and weights.size > 0
    if not fits or n_inputs not in (None, weights.shape[1]):
        message = (
            f"W{index} has shape {weights.shape}, wanted ({n_outputs}, {columns}): a row "
            f"for each of b{index}'s {n_outputs} neurons"
        )
        if n_inputs is not None:
            message += f", a column for each of the {n_inputs} neurons of layer {index - 1}"
        flipped = weights.T.shape
        if len(flipped) == 2 and flipped[0] == n_outputs and n_inputs in (None, flipped[1]):
            message += f"; it looks transposed: save W{index}.T"
        raise WeightsError(message)
    converted = [to_float32(f"{kind}{index}", arrays[f"{kind}{index}"]) for kind in "Wb"]
    notes += [note for _, note in converted if note]
    return converted[0][0], converted[1][0]


def _read_neuron_names(arrays: Arrays, network: Network) -> Iterator[tuple[str, ...]]:
    """Return the names of each hidden layer's neurons, none when they aren't there."""
    for index, layer in enumerate(network.layers[:-1], start=1):
        names = read_texts(arrays, f"names{index}", len(layer.biases), "neuron") or ()
        if fault := fault_of_labels(names):
            raise WeightsError(f"names{index}: {fault}; give each neuron a name of its own")
        yield names


def _read_provenance(arrays: Arrays) -> Provenance:
    """Return the provenance, which is empty when it isn't there."""
    provenance = _read_object(arrays, "provenance") or {}
    if not all(
        isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        for value in provenance.values()
    ):
        raise WeightsError("provenance is not a JSON object of texts and numbers")
    return provenance


def _read_record(arrays: Arrays, key: str) -> Mapping[str, Any] | None:
    """Return a record, or None when it isn't there; what it says is not looked at."""
    record = _read_object(arrays, key)
    try:
        json.dumps(record, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{key} holds a number that is not finite") from error
    return record


def _read_object(arrays: Arrays, key: str) -> dict[str, Any] | None:
    """Return the JSON object in an array of one text, or None when the array isn't there."""
    if key not in arrays:
        return None
    try:
        content = json.loads(str(arrays[key]))
        # JSON can escape invalid Unicode.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{key} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{key} is not a JSON object")
    return content


def _read_examples(arrays: Arrays, network: Network) -> Batch | None:
    """Return the example images (E, n_inputs), or None when there are none."""
    if "examples" not in arrays:
        return None
    examples = arrays["examples"]
    if examples.ndim != 2 or examples.shape[1] != network.n_inputs or not len(examples):
        raise WeightsError(
            f"examples has shape {examples.shape}, wanted (E, {network.n_inputs}): "
            "an image in a row"
        )
    examples, _ = to_float32("examples", examples)
    if not network.input_range.accepts(examples):
        raise WeightsError(
            f"examples has numbers from {examples.min():g} to {examples.max():g}, wanted "
            f"{network.input_range.describe('numbers')}; if the network takes others, say so with "
            f"{INPUT_RANGE}, --input-range on the command line"
        )
    return examples
