"""The network in NumPy: layers, the forward pass that all else is compared with, load and save."""

import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.export import publishing
from exporter.network.activations import ACTIVATIONS

Batch = npt.NDArray[np.float32]
"""Images, activations, weights or biases as float32."""

Provenance = Mapping[str, str | int | float]
"""Where a network comes from: how it was trained, its accuracy and what that was measured on."""

EvaluationRecord = Mapping[str, Any]
"""The JSON object of an evaluation; `exporter.study.records` reads and writes it."""

ReferenceRecord = Mapping[str, Any]
"""The JSON object that `exporter.training.reference` writes: how the training images looked."""

DEFAULT_ACTIVATION = "sigmoid"

RECORDS = ("evaluation", "reference")
OTHER_KEYS = ("activations", "labels", "provenance", "examples", *RECORDS)
"""What a weights file may hold besides weights and biases."""

LARGEST_BYTES = 2**31
"""What an archive may unpack to: an ONNX file, which is made of it, can't be larger."""

READ_ERRORS = (Exception,)
"""What libraries raise over damaged files: NumPy parses headers as Python does, and archives may
ask for any amount of memory, for passwords, and for packings of a dozen kinds.
"""


class NetworkError(ValueError):
    """Layers, labels or a batch that don't fit together."""


class WeightsError(Exception):
    """A weights file can't be used; the message names file, key, what was found and wanted.

    It is one line, whatever the file has for names.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


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
            raise NetworkError(f"activation: {self.activation!r}, wanted {_known_activations()}")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers from input to output, and the name of each output neuron's class.

    Raises NetworkError when there is no layer, a layer doesn't take what the one before it gives,
    or there isn't one non-empty label for each output.
    """

    layers: tuple[Layer, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError("layers: none, wanted at least one")
        for index in range(1, len(self.layers)):
            found, given = self.layers[index].weights.shape[1], self.sizes[index]
            if found != given:
                raise NetworkError(
                    f"layers: layer {index + 1} takes {found} inputs, but layer {index} has "
                    f"{given} neurons"
                )
        if len(self.labels) != self.sizes[-1]:
            raise NetworkError(f"labels: {len(self.labels)} for {self.sizes[-1]} output neurons")
        if not all(self.labels):
            raise NetworkError(f"labels: number {self.labels.index('')} is empty")
        for index, label in enumerate(self.labels):
            if any(0xD800 <= ord(letter) <= 0xDFFF for letter in label):
                raise NetworkError(f"labels: number {index}, {label!r}, is not Unicode")

    @property
    def n_inputs(self) -> int:
        """Pixels of one image."""
        return int(self.layers[0].weights.shape[1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer from the input to the output, such as (784, 16, 16, 10)."""
        return (self.n_inputs, *(len(layer.biases) for layer in self.layers))

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        return sum(layer.weights.size + layer.biases.size for layer in self.layers)

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
            z = batch @ layer.weights.T + layer.biases
            batch = ACTIVATIONS[layer.activation](z)
            activations.append(batch)
        return activations


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What a weights file holds: a network, where it comes from, example images, an evaluation.

    `examples` (E, n_inputs) float32 in [0, 1] are meant for the model's golden examples; None when
    the file has none. `evaluation` is None when the network wasn't measured, `reference` when its
    training images weren't there.
    """

    network: Network
    provenance: Provenance
    examples: Batch | None
    evaluation: EvaluationRecord | None = None
    reference: ReferenceRecord | None = None


def save(
    path: Path,
    network: Network,
    *,
    examples: Batch | None = None,
    provenance: Provenance | None = None,
    evaluation: EvaluationRecord | None = None,
    reference: ReferenceRecord | None = None,
) -> None:
    """Write a weights file, atomically; the same arguments give the same bytes.

    The file is an uncompressed .npz with these keys:

    - `W1`, `b1`, `W2`, `b2`, ...: float32 weights (n_out, n_in) and biases (n_out,) of each layer
    - `activations`: the name of each layer's activation, as text
    - `labels`: the name of each output's class, as text
    - `provenance` (optional): a JSON object of texts and numbers, as one text
    - `examples` (optional): float32 images (E, n_in) in [0, 1]
    - `evaluation`, `reference` (optional): the JSON objects that `exporter.study.records` and
      `exporter.training.reference` describe, each as one text

    Raises WeightsError when one of the optional ones can't be stored, OSError when the file can't
    be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for index, layer in enumerate(network.layers, start=1):
        arrays[f"W{index}"], arrays[f"b{index}"] = layer.weights, layer.biases
    arrays["activations"] = np.array([layer.activation for layer in network.layers])
    arrays["labels"] = np.array(network.labels)
    if provenance:
        arrays["provenance"] = np.array(json.dumps(dict(provenance), ensure_ascii=False))
        _read_provenance(path, arrays)
    if examples is not None:
        arrays["examples"] = examples
        _read_examples(path, arrays, network.n_inputs)
    for key, record in zip(RECORDS, (evaluation, reference), strict=True):
        if record is not None:
            arrays[key] = np.array(json.dumps(dict(record), ensure_ascii=False))
            _read_record(path, arrays, key)
    publishing.write_file(path, _pack(arrays))


def load(path: Path) -> Saved:
    """Read a weights file with the keys that `save` describes.

    Without `activations` every layer is a sigmoid; without `labels` the classes are called "0",
    "1", and so on. Raises WeightsError when the file is missing or anything in it can't be used.
    """
    arrays = _read_arrays(path)
    n_layers = _count_layers(path, arrays)
    activations = _read_texts(path, arrays, "activations", n_layers, "layer")
    for activation in activations or ():
        if activation not in ACTIVATIONS:
            raise WeightsError(
                f"{path}: activations has {activation!r}, wanted {_known_activations()}"
            )
    n_inputs: int | None = None
    layers = []
    for index in range(1, n_layers + 1):
        activation = activations[index - 1] if activations else DEFAULT_ACTIVATION
        layers.append(_read_layer(path, arrays, index, n_inputs, activation))
        n_inputs = len(layers[-1].biases)
    n_outputs = len(layers[-1].biases)
    labels = _read_texts(path, arrays, "labels", n_outputs, "output")
    network = Network(tuple(layers), labels or tuple(str(index) for index in range(n_outputs)))
    examples = _read_examples(path, arrays, network.n_inputs)
    provenance = _read_provenance(path, arrays)
    evaluation, reference = (_read_record(path, arrays, key) for key in RECORDS)
    return Saved(network, provenance, examples, evaluation, reference)


def _known_activations() -> str:
    return "one of " + ", ".join(ACTIVATIONS)


def _pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the bytes of an .npz, which depend on the arrays alone: neither on time nor system."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            member = io.BytesIO()
            little = array.astype(array.dtype.newbyteorder("<"))
            np.lib.format.write_array(member, little, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, member.getvalue())
    return buffer.getvalue()


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return every array of an .npz file; nothing is unpickled."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror}") from error
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise WeightsError(f"{path} is not an .npz file; write it with numpy.savez")
    try:
        return read_npz(content)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def read_npz(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return every array of an .npz file; nothing is unpickled. Raises WeightsError."""
    key = "the archive"
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            check_size(members)
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            for key in archive.files:
                arrays[key] = np.asarray(archive[key])
    except WeightsError:
        raise
    except READ_ERRORS as error:
        raise WeightsError(f"{key} can't be read: {str(error) or type(error).__name__}") from error
    return arrays


def check_size(archive: zipfile.ZipFile) -> None:
    """Raise WeightsError for an archive that would unpack to more than `LARGEST_BYTES`."""
    size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_BYTES:
        raise WeightsError(f"the archive unpacks to {size} bytes, wanted up to {LARGEST_BYTES}")


def _count_layers(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    """Return the number of layers, after checking that no key is missing and none is unknown."""
    numbered = {key for key in arrays if re.fullmatch(r"[Wb][1-9][0-9]{0,3}", key)}
    n_layers = max((int(key[1:]) for key in numbered), default=1)
    for index in range(1, min(n_layers, len(numbered) + 1) + 1):
        for key in (f"W{index}", f"b{index}"):
            if key not in arrays:
                raise WeightsError(
                    f"{path}: {key} is missing; found {', '.join(sorted(arrays)) or 'nothing'}, "
                    "wanted W1, b1, W2, b2 and so on without a gap"
                )
    unknown = sorted(set(arrays) - numbered - set(OTHER_KEYS))
    if unknown:
        raise WeightsError(
            f"{path}: {unknown[0]} is an unknown key; known are W1, b1, W2, b2, ..., "
            + ", ".join(OTHER_KEYS)
        )
    return n_layers


def _read_layer(
    path: Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    index: int,
    n_inputs: int | None,
    activation: str,
) -> Layer:
    """Return layer `index`, which must take `n_inputs` inputs (None: any number)."""
    weights, biases = arrays[f"W{index}"], arrays[f"b{index}"]
    if biases.ndim != 1 or not len(biases):
        raise WeightsError(
            f"{path}: b{index} has shape {biases.shape}, wanted (n_out,): one bias a neuron; give "
            "it one dimension with reshape(-1)"
        )
    n_outputs = len(biases)
    columns = "n_in" if n_inputs is None else n_inputs
    fits = weights.ndim == 2 and weights.shape[0] == n_outputs and weights.size > 0
    if not fits or n_inputs not in (None, weights.shape[1]):
        message = (
            f"{path}: W{index} has shape {weights.shape}, wanted ({n_outputs}, {columns}): a row "
            f"for each of b{index}'s {n_outputs} neurons"
        )
        if n_inputs is not None:
            message += f", a column for each of the {n_inputs} neurons of layer {index - 1}"
        turned = weights.T.shape
        if len(turned) == 2 and turned[0] == n_outputs and n_inputs in (None, turned[1]):
            message += f"; it looks transposed: save W{index}.T"
        raise WeightsError(message)
    for key, values in ((f"W{index}", weights), (f"b{index}", biases)):
        _check_floats(path, key, values)
    return Layer(weights, biases, activation)


def _check_floats(path: Path, key: str, values: npt.NDArray[Any]) -> None:
    """Raise WeightsError unless `values` are finite and float32."""
    if values.dtype != np.float32:
        raise WeightsError(
            f"{path}: {key} holds {values.dtype}, wanted float32; convert it with "
            "astype(numpy.float32)"
        )
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(number) for number in np.argwhere(~finite)[0])
        raise WeightsError(
            f"{path}: {key} holds {values[place]} at {list(place)}, wanted finite numbers"
        )


def _read_texts(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], key: str, count: int, what: str
) -> tuple[str, ...] | None:
    """Return an array of `count` non-empty texts, one for each `what`; None when it isn't there."""
    if key not in arrays:
        return None
    values = arrays[key]
    if values.dtype.kind != "U" or values.shape != (count,):
        raise WeightsError(
            f"{path}: {key} is {values.dtype} {values.shape}, wanted text ({count},), one for each "
            f"{what}"
        )
    try:
        texts = tuple(str(value) for value in values)
        "".join(texts).encode()
    except READ_ERRORS as error:
        # NumPy keeps any numbers in place of letters.
        raise WeightsError(f"{path}: {key} is not Unicode: {error}") from error
    if not all(texts):
        raise WeightsError(f"{path}: {key} has an empty text, wanted a name for each {what}")
    return texts


def _read_provenance(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> Provenance:
    """Return the provenance, which is empty when it isn't there."""
    provenance = _read_object(path, arrays, "provenance") or {}
    if not all(
        isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        for value in provenance.values()
    ):
        raise WeightsError(f"{path}: provenance is not a JSON object of texts and numbers")
    return provenance


def _read_record(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], key: str
) -> Mapping[str, Any] | None:
    """Return a record, or None when it isn't there; what it says is not looked at."""
    record = _read_object(path, arrays, key)
    try:
        json.dumps(record, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: {key} holds a number that is not finite") from error
    return record


def _read_object(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], key: str
) -> dict[str, Any] | None:
    """Return the JSON object in an array of one text, or None when the array isn't there."""
    if key not in arrays:
        return None
    try:
        content = json.loads(str(arrays[key]))
        # JSON can spell what is no Unicode.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: {key} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: {key} is not a JSON object")
    return content


def _read_examples(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], n_inputs: int
) -> Batch | None:
    """Return the example images (E, n_inputs), or None when there are none."""
    if "examples" not in arrays:
        return None
    examples = arrays["examples"]
    if examples.ndim != 2 or examples.shape[1] != n_inputs or not len(examples):
        raise WeightsError(
            f"{path}: examples has shape {examples.shape}, wanted (E, {n_inputs}): an image in a "
            "row"
        )
    _check_floats(path, "examples", examples)
    if examples.min() < 0 or examples.max() > 1:
        raise WeightsError(
            f"{path}: examples has pixels from {examples.min():g} to {examples.max():g}, wanted "
            "0 to 1"
        )
    return examples
