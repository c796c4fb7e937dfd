"""Other people's weights: from NumPy, PyTorch, scikit-learn and ONNX to a network.

from exporter import importing, network
imported = importing.from_arrays([W1, b1, W2, b2], activation="relu", output="softmax")
network.save(path, imported)
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from exporter.errors import reason_of
from exporter.files import MAX_BYTES
from exporter.importing import arrays, files, onnx, sklearn
from exporter.importing.assembly import Imported, assemble
from exporter.importing.source import Choices, Orientation, Scaling, Source
from exporter.network.network import Network
from exporter.network.weights_file import Provenance, WeightsError
from modelfile.input_range import InputRange, parse

Tell = Callable[[str], object]


def from_arrays(
    given: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike],
    *,
    activation: str | Sequence[str] | None = None,
    output: str | None = None,
    orientation: Orientation | None = None,
    labels: Sequence[str] | None = None,
    input_scale: float = 1.0,
    input_mean: npt.ArrayLike = 0.0,
    input_std: npt.ArrayLike = 1.0,
    input_range: InputRange | str | None = None,
    layers: Sequence[str] | None = None,
    tell: Tell | None = None,
) -> Network:
    """Return the network of arrays: weights, biases, weights, biases, from input to output.

    `given` is a sequence, or a mapping with names such as `W1`, `fc1.weight` or `coefs_0`. Weights
    have two dimensions; biases have one, and may be missing. `activation` is that of the hidden
    layers, or one for each; `output` that of the output layer; `orientation` is needed only when
    the shapes fit both ways. The weights were trained on (input_scale * pixel - input_mean) /
    input_std, which is folded into the first layer. The network takes numbers in `input_range`,
    such as "[-1, 1]" or "finite", or else in [0, 1]. `layers` names the layers to take, from input
    to output, such as ["encoder.0", "head"]; without it, all are taken, in the order that their
    names and shapes tell. `tell` gets a line for each thing that was changed, such as `print`.

    Raises WeightsError when the arrays don't make a network; NetworkError for labels that don't
    fit.
    """
    scaling = Scaling(input_scale, input_mean, input_std)
    numbers = _range(input_range)
    choices = Choices(activation, output, orientation, labels, scaling, numbers, layers)
    return _network(arrays.read(given), choices, tell)


def from_sklearn(
    classifier: Any,
    *,
    labels: Sequence[str] | None = None,
    input_scale: float = 1.0,
    input_mean: npt.ArrayLike = 0.0,
    input_std: npt.ArrayLike = 1.0,
    input_range: InputRange | str | None = None,
    tell: Tell | None = None,
) -> Network:
    """Return the network of a fitted MLPClassifier, or of a pipeline StandardScaler, MLPClassifier.

    `labels` are the classifier's classes unless given. See `from_arrays` for the rest. Raises
    WeightsError when it is something else or not fitted.
    """
    scaling = Scaling(input_scale, input_mean, input_std)
    choices = Choices(labels=labels, scaling=scaling, input_range=_range(input_range))
    return _network(sklearn.read(classifier), choices, tell)


def from_onnx(
    path: Path,
    *,
    labels: Sequence[str] | None = None,
    input_scale: float = 1.0,
    input_mean: npt.ArrayLike = 0.0,
    input_std: npt.ArrayLike = 1.0,
    input_range: InputRange | str | None = None,
    tell: Tell | None = None,
) -> Network:
    """Return the network of an .onnx file whose graph is a multilayer perceptron.

    `labels` are the file's unless given. See `from_arrays` for the rest. Raises WeightsError when
    the file can't be used, with the node that is not a layer.
    """
    scaling = Scaling(input_scale, input_mean, input_std)
    choices = Choices(labels=labels, scaling=scaling, input_range=_range(input_range))
    return _told(from_file(path, choices)[0], tell)


def from_file(path: Path, choices: Choices) -> tuple[Imported, Provenance]:
    """Return the network in an .npz, .safetensors, .skops or .onnx file, and where it comes from.

    Raises WeightsError when the file can't be used or says something else than the choices,
    NetworkError for labels that don't fit.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise WeightsError(f"{path} has {size} bytes, wanted up to {MAX_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {reason_of(error)}") from error
    is_onnx = content and path.suffix.lower() == onnx.SUFFIX
    source = None if is_onnx else files.read(path, content)
    try:
        if source is None:
            imported = onnx.load(path, content, choices)
        else:
            imported = assemble(source, choices)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    provenance = {
        "source": path.name,
        "source_sha256": hashlib.sha256(content).hexdigest(),
        "origin": imported.origin,
        "changes": "; ".join(imported.notes) or "none",
    }
    checked = {} if imported.checked is None else {"checked": imported.checked}
    return imported, provenance | checked


def _range(given: InputRange | str | None) -> InputRange | None:
    try:
        return parse(given) if isinstance(given, str) else given
    except ValueError as error:
        raise WeightsError(f"input_range: {error}") from error


def _network(source: Source, choices: Choices, tell: Tell | None) -> Network:
    return _told(assemble(source, choices), tell)


def _told(imported: Imported, tell: Tell | None) -> Network:
    if tell is not None:
        for note in imported.notes:
            tell(note)
    return imported.network
