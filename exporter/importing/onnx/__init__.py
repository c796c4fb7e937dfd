"""From ONNX: a graph that is a multilayer perceptron, as PyTorch, scikit-learn and Keras export it.

The graph is walked from its input to its outputs, its scalers are folded into the layers, and what
was read is checked against ONNX Runtime. Every other graph is refused with the node that is no
layer.
"""

from dataclasses import replace
from pathlib import Path

import onnx

from exporter.files import READ_ERRORS
from exporter.importing.assembly import Imported, assemble
from exporter.importing.onnx import checking, numbers, outputs, reading, walking
from exporter.importing.onnx.values import shown
from exporter.importing.source import Choices, Source
from exporter.network.network import NetworkError
from exporter.network.weights_file import WeightsError
from modelfile.metadata import FORMAT, Metadata, MetadataError, decode

SUFFIX = ".onnx"


def load(path: Path, content: bytes, choices: Choices) -> Imported:
    """Return the network of an .onnx file; raises WeightsError, or NetworkError for its labels."""
    try:
        return _load(path, content, choices)
    except (WeightsError, NetworkError):
        raise
    except READ_ERRORS as error:
        # Attributes and shapes may be whatever the file's writer liked.
        reason = shown(str(error).partition("\n")[0])
        raise WeightsError(
            f"is not a graph that can be read ({type(error).__name__}: {reason}); export it again"
        ) from error


def _load(path: Path, content: bytes, choices: Choices) -> Imported:
    for field in ("orientation", "layers"):
        if getattr(choices, field) is not None:
            raise WeightsError(f"{field}: an ONNX file tells that itself; leave it out")
    model = reading.read(path, content)
    found = outputs.choose(model, walking.walk(model))
    own = _own(model)
    input_range = None if own is None else own.input_range
    choices, told = numbers.complete(found, input_range, choices)
    producer = shown(f"{model.producer_name} {model.producer_version}").strip()
    source = Source(
        f"ONNX by {producer}" if producer else "ONNX",
        tuple(layer.source for layer in found.layers),
        orientation="out-in",
        activations=tuple(layer.activation for layer in found.layers[:-1]),
        output=found.layers[-1].activation,
        labels=found.labels if own is None else own.labels,
        input_range=input_range,
        notes=(*found.notes, *told),
    )
    imported = assemble(source, replace(choices, orientation="out-in"))
    names_kept = choices.labels is None and own is None
    checked = checking.check(model, found, imported.network, choices.scaling, names_kept)
    layout = None if own is None else own.image_layout
    return replace(imported, checked=checked, image_layout=layout)


def _own(model: onnx.ModelProto) -> Metadata | None:
    """Return what a model says of itself that this program exported, None for others."""
    # Invalid Unicode is read as bytes, whatever the type says.
    entries = {str(entry.key): str(entry.value).encode() for entry in model.metadata_props}
    if entries.get("format") != FORMAT.encode():
        return None
    try:
        return decode(entries)
    except MetadataError as error:
        raise WeightsError(f"{error}; export it again") from error
