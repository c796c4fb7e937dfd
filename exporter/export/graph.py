"""Network to ONNX, as `modelfile` describes it, and back to what a model says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper, shape_inference

from exporter import runtime
from exporter.errors import ExporterError, reason_of
from exporter.export.golden import compute_activations, draw_pixels
from exporter.export.image_layout import of_weights
from exporter.network.network import Batch, Layer, Network, NetworkError
from exporter.network.weights_file import EvaluationRecord, Provenance, ReferenceRecord, Saved
from modelfile.activations import SELU_ALPHA, SELU_SCALE
from modelfile.check import CheckError, check_model
from modelfile.golden import GoldenCheck
from modelfile.image_layout import ImageLayout
from modelfile.layout import INPUT, OPERATORS, OUTPUT, output_names
from modelfile.metadata import (
    Metadata,
    MetadataError,
    decode,
    decode_object,
    encode,
    weights_sha256,
)
from modelfile.reference import decode_reference

OPSET = 17
IR_VERSION = 8
"""Both belong to onnx 1.12. The oldest supported ONNX Runtime, 1.20, reads up to opset 21 and IR
version 10 and refuses what is newer; no operator here has changed since opset 14.
"""

ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "Softmax": {"axis": 1},
    "Selu": {"alpha": SELU_ALPHA, "gamma": SELU_SCALE},
}
"""The attributes of the operators that have any."""


class ModelError(ExporterError):
    """A file is not a model of this exporter; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What a model says of itself in its metadata, and what its graph says of that.

    `golden` is how the golden examples went with `runtime`; `fault` is why no server takes the
    model, empty when it does; `weights_match` tells whether the graph holds the weights that
    `weights_sha256` was taken of. `evaluation` is None when the network wasn't measured.
    """

    metadata: Metadata
    provenance: Provenance
    evaluation: EvaluationRecord | None
    weights_match: bool
    golden: GoldenCheck
    fault: str
    runtime: str


def build(
    network: Network,
    *,
    examples: Batch | None = None,
    provenance: Provenance | None = None,
    evaluation: EvaluationRecord | None = None,
    reference: ReferenceRecord | None = None,
    image_layout: ImageLayout | None = None,
) -> onnx.ModelProto:
    """Return the model of a network; the same arguments give the same bytes when serialised.

    The first eight `examples` (E, n_in) become the golden images; what is missing of eight is drawn
    at random from a fixed seed. Raises NetworkError when the examples or the reference don't fit,
    activations overflow or are inexact, or one has no operator, onnx.checker.ValidationError or
    onnx.shape_inference.InferenceError when ONNX refuses the graph.
    """
    names = output_names(len(network.layers))
    nodes, initializers = [], []
    layer_input = INPUT
    for index, (layer, name) in enumerate(zip(network.layers, names, strict=True), start=1):
        weights, biases = f"W{index}", f"b{index}"
        initializers += [
            numpy_helper.from_array(layer.weights, weights),
            numpy_helper.from_array(layer.biases, biases),
        ]
        if layer.activation not in OPERATORS:
            raise NetworkError(
                f"activation: {layer.activation!r} has no ONNX operator; give it one in "
                "modelfile/layout.py"
            )
        operator = OPERATORS[layer.activation]
        weighted = name if operator is None else f"z{index}"
        gemm = [layer_input, weights, biases]
        nodes.append(helper.make_node("Gemm", gemm, [weighted], name=f"layer_{index}", transB=1))
        if operator is not None:
            attributes = ATTRIBUTES.get(operator, {})
            nodes.append(
                helper.make_node(
                    operator, [weighted], [name], name=f"activation_{index}", **attributes
                )
            )
        layer_input = name
    columns = dict(zip(names, network.sizes[1:], strict=True))
    body = helper.make_graph(
        nodes,
        "multilayer_perceptron",
        [_floats(INPUT, network.n_inputs)],
        [_floats(name, columns[name]) for name in (OUTPUT, *names[:-1])],
        initializers,
    )
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mlpserve",
    )
    metadata = _describe_network(network, examples, reference, image_layout)
    helper.set_model_props(model, encode(metadata, provenance or {}, evaluation))
    onnx.checker.check_model(model, full_check=True)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    used, run = runtime.open_model(model)
    try:
        check_model(run, used, network.layers, metadata)
    except CheckError as error:
        raise NetworkError(f"weights: the model {error}") from error
    return model


def build_saved(saved: Saved) -> onnx.ModelProto:
    """Return the model of a weights file, with all that the file says; raises as `build` does.

    Without an image layout it gets that of the examples.
    """
    return build(
        saved.network,
        examples=saved.examples,
        provenance=saved.provenance,
        evaluation=saved.evaluation,
        reference=saved.reference,
        image_layout=of_weights(saved),
    )


def read(path: Path) -> onnx.ModelProto:
    """Return the model in a file; raises ModelError when it can't be read or is not ONNX."""
    try:
        return onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} can't be read: {reason_of(error)}") from error
    except (DecodeError, ValueError, MemoryError) as error:
        raise ModelError(f"{path} is not an ONNX file") from error


def metadata_of(path: Path, model: onnx.ModelProto) -> Metadata:
    """Return what the model from `path` says of itself; raises ModelError when it can't be used."""
    return _read_metadata(path, model)[0]


def describe(path: Path, model: onnx.ModelProto) -> Description:
    """Return what the model from `path` says of itself, after running its golden examples.

    Raises ModelError when it wasn't exported by this program or its metadata can't be used.
    """
    metadata, entries = _read_metadata(path, model)
    try:
        # Named W1, b1, W2, b2, ... and stored in this order.
        arrays = [numpy_helper.to_array(initializer) for initializer in model.graph.initializer]
        layers = [
            Layer(weights, biases, activation)
            for weights, biases, activation in zip(
                arrays[::2], arrays[1::2], metadata.activations, strict=True
            )
        ]
        used, run = runtime.open_model(model)
        fault = ""
        try:
            golden = check_model(run, used, layers, metadata)
        except CheckError as error:
            golden, fault = error.golden, str(error)
        return Description(
            metadata=metadata,
            provenance=decode_object(entries, "provenance") or {},
            evaluation=decode_object(entries, "evaluation"),
            weights_match=weights_sha256(arrays) == metadata.weights_sha256,
            golden=golden,
            fault=fault,
            runtime=used,
        )
    except Exception as error:
        # ONNX and its evaluator raise whatever they come to.
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path} is damaged ({reason}); export it again") from error


def _read_metadata(path: Path, model: onnx.ModelProto) -> tuple[Metadata, dict[str, bytes]]:
    """Return the metadata and its entries; raises ModelError."""
    try:
        entries = {entry.key: entry.value.encode() for entry in model.metadata_props}
        return decode(entries), entries
    except MetadataError as error:
        raise ModelError(f"{path} {error}; export it again") from error
    except (AttributeError, UnicodeError) as error:
        # protobuf returns bytes for invalid Unicode.
        raise ModelError(
            f"{path} is damaged (metadata that is not Unicode); export it again"
        ) from error


def _floats(name: str, columns: int) -> onnx.ValueInfoProto:
    """Describe an input or output (N, columns) with a symbolic N."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])


def _describe_network(
    network: Network,
    examples: Batch | None,
    reference: ReferenceRecord | None,
    image_layout: ImageLayout | None,
) -> Metadata:
    pixels = draw_pixels(network, examples)
    activations = compute_activations(network, pixels)
    try:
        distributions = decode_reference(reference, network.labels)
    except (ValueError, TypeError, KeyError) as error:
        raise NetworkError(f"reference: can't be used ({error})") from error
    return Metadata(
        labels=network.labels,
        layer_sizes=network.sizes,
        activations=tuple(layer.activation for layer in network.layers),
        weights_sha256=weights_sha256(network.parameters),
        golden_pixels=pixels,
        golden_activations=activations,
        reference=distributions,
        input_range=network.input_range,
        golden_is_float64=True,
        image_layout=image_layout,
    )
