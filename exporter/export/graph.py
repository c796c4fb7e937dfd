"""Network to ONNX: one Gemm and one activation per layer, with all that the file says of itself.

What a reader of the file may rely on, `mlpserve/1`. Numbers are float32; N is any number of images.

- input `pixels` (N, n_in)
- outputs `activations` (N, classes), then `hidden_1`, `hidden_2`, ... (N, neurons), input to output

Metadata, each value a text:

- `format`: "mlpserve/1"
- `labels`: JSON list, the name of each class
- `layer_sizes`: JSON list, neurons of each layer from input to output, such as [784, 16, 16, 10]
- `layer_activations`: JSON list, the activation of each layer after the input
- `parameters`: the number of weights and biases
- `weights_sha256`: of W1, b1, W2, b2, ... as little-endian float32, row-major, in hexadecimal
- `provenance`: JSON object, how the network was trained, its accuracy and on what it was measured
- `evaluation` (only when it was measured): JSON object, how the network did on test images: right
  and wrong answers, calibration, distorted images; `exporter/study/records.py` describes it
- `reference` (only when it was measured): JSON object, what the training images looked like and
  what the network said to them; `exporter/training/reference.py` describes it
- `golden_pixels`: images (eight, n_in) as little-endian float32, row-major, in base64
- `golden_activations`: what NumPy computed for them, (eight, classes), written likewise
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from exporter.network.activations import SELU_ALPHA, SELU_SCALE
from exporter.network.network import (
    Batch,
    EvaluationRecord,
    Network,
    NetworkError,
    Provenance,
    ReferenceRecord,
)

FORMAT = "mlpserve/1"
INPUT, OUTPUT, HIDDEN = "pixels", "activations", "hidden_{}"

OPSET = 17
IR_VERSION = 8
"""Both belong to onnx 1.12. The oldest supported ONNX Runtime, 1.20, reads up to opset 21 and IR
version 10 and refuses what is newer; no operator here has changed since opset 14.
"""

GOLDEN_TOLERANCE = 1e-5
"""Largest golden difference with which a model is served."""

N_GOLDEN = 8
GOLDEN_SEED = 20171117
"""Draws golden images when there are no real ones; any fixed number would do."""

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("Sigmoid", {}),
    "relu": ("Relu", {}),
    "tanh": ("Tanh", {}),
    "softmax": ("Softmax", {"axis": 1}),
    "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
}
"""Operator and attributes of each activation; identity needs none."""


class ModelError(Exception):
    """A file is no model of this exporter; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What a model says of itself in its metadata, and what its graph says of that.

    `golden_difference` is the largest difference between `golden_activations` and what ONNX's
    reference evaluator computes, relative for activations beyond 1; `weights_match` tells whether
    the graph holds the weights that `weights_sha256` was taken of. `evaluation` is None when the
    network wasn't measured.
    """

    labels: tuple[str, ...]
    layer_sizes: tuple[int, ...]
    layer_activations: tuple[str, ...]
    parameters: int
    weights_sha256: str
    weights_match: bool
    provenance: Provenance
    evaluation: EvaluationRecord | None
    golden_images: int
    golden_difference: float


def build(
    network: Network,
    *,
    examples: Batch | None = None,
    provenance: Provenance | None = None,
    evaluation: EvaluationRecord | None = None,
    reference: ReferenceRecord | None = None,
) -> onnx.ModelProto:
    """Return the model of a network; the same arguments give the same bytes when serialised.

    The first eight `examples` (E, n_in) become the golden images; what is missing of eight is drawn
    at random from a fixed seed. Raises NetworkError when the examples don't fit or activations
    overflow, onnx.checker.ValidationError or onnx.shape_inference.InferenceError when ONNX refuses
    the graph.
    """
    n_layers = len(network.layers)
    names = [HIDDEN.format(index) for index in range(1, n_layers)] + [OUTPUT]
    nodes, initializers = [], []
    layer_input = INPUT
    for index, (layer, name) in enumerate(zip(network.layers, names, strict=True), start=1):
        weights, biases = f"W{index}", f"b{index}"
        initializers += [
            numpy_helper.from_array(layer.weights, weights),
            numpy_helper.from_array(layer.biases, biases),
        ]
        activation = OPERATORS.get(layer.activation)
        weighted = name if activation is None else f"z{index}"
        nodes.append(
            helper.make_node(
                "Gemm",
                [layer_input, weights, biases],
                [weighted],
                name=f"layer_{index}",
                transB=1,
            )
        )
        if activation is not None:
            operator, attributes = activation
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
    metadata = _metadata(network, examples, provenance or {})
    for key, record in (("evaluation", evaluation), ("reference", reference)):
        if record is not None:
            metadata[key] = _json(record)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


def read(path: Path) -> onnx.ModelProto:
    """Return the model in a file; raises ModelError when it can't be read or is no ONNX."""
    try:
        return onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}") from error
    except (DecodeError, ValueError, MemoryError) as error:
        raise ModelError(f"{path} is not an ONNX file") from error


def describe(path: Path, model: onnx.ModelProto) -> Description:
    """Return what the model from `path` says of itself, after running its golden examples.

    Raises ModelError when it wasn't exported by this program or its metadata can't be used.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if metadata.get("format") != FORMAT:
        raise ModelError(
            f"{path} was not exported by mlpserve: its metadata has format "
            f"{metadata.get('format')!r}, wanted {FORMAT!r}"
        )
    try:
        # Named W1, b1, W2, b2, ... and stored in this order.
        arrays = [numpy_helper.to_array(initializer) for initializer in model.graph.initializer]
        sizes = tuple(int(size) for size in json.loads(metadata["layer_sizes"]))
        pixels = decode_floats(metadata["golden_pixels"], sizes[0])
        wanted = decode_floats(metadata["golden_activations"], sizes[-1])
        activations = tuple(str(name) for name in json.loads(metadata["layer_activations"]))
        if len(activations) != len(sizes) - 1:
            raise ValueError(f"{len(activations)} activations for {len(sizes) - 1} layers")
        evaluation = metadata.get("evaluation")
        (found,) = ReferenceEvaluator(model).run([OUTPUT], {INPUT: pixels})
        return Description(
            labels=tuple(str(label) for label in json.loads(metadata["labels"])),
            layer_sizes=sizes,
            layer_activations=activations,
            parameters=int(metadata["parameters"]),
            weights_sha256=metadata["weights_sha256"],
            weights_match=weights_sha256(arrays) == metadata["weights_sha256"],
            provenance=dict(json.loads(metadata["provenance"])),
            evaluation=None if evaluation is None else dict(json.loads(evaluation)),
            golden_images=len(pixels),
            golden_difference=_largest_difference(np.asarray(found), wanted),
        )
    except Exception as error:
        # ONNX and its evaluator raise whatever they come to.
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path} is damaged ({reason}); export it again") from error


def weights_sha256(arrays: Sequence[Batch]) -> str:
    """Return the SHA-256 of W1, b1, W2, b2, ... as little-endian float32, row-major."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.astype("<f4").tobytes())
    return digest.hexdigest()


def encode_floats(values: Batch) -> str:
    """Return an array as little-endian float32, row-major, in base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def decode_floats(text: str, columns: int) -> Batch:
    """Return the array (rows, columns) that `encode_floats` wrote; raises ValueError."""
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    return values.reshape(-1, columns).astype(np.float32)


def _largest_difference(found: Batch, wanted: Batch) -> float:
    """Return the largest difference, relative to the wanted number where that is beyond 1."""
    if found.shape != wanted.shape:
        raise ValueError(f"golden activations of shape {wanted.shape}, computed {found.shape}")
    return float(np.max(np.abs(found - wanted) / np.maximum(1, np.abs(wanted))))


def _floats(name: str, columns: int) -> onnx.ValueInfoProto:
    """Describe an input or output (N, columns) with a symbolic N."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])


def _metadata(network: Network, examples: Batch | None, provenance: Provenance) -> dict[str, str]:
    """Return the metadata that each model has, which the module's docstring describes."""
    pixels = _golden_pixels(network, examples)
    with np.errstate(over="ignore", invalid="ignore"):
        activations = network.forward(pixels)[-1]
    if not np.isfinite(activations).all():
        raise NetworkError("weights: so large that activations overflow; scale them down")
    arrays = [array for layer in network.layers for array in (layer.weights, layer.biases)]
    return {
        "format": FORMAT,
        "labels": json.dumps(network.labels, ensure_ascii=False),
        "layer_sizes": json.dumps(network.sizes),
        "layer_activations": json.dumps([layer.activation for layer in network.layers]),
        "parameters": str(network.parameter_count),
        "weights_sha256": weights_sha256(arrays),
        "provenance": _json(provenance),
        "golden_pixels": encode_floats(pixels),
        "golden_activations": encode_floats(activations),
    }


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=False, allow_nan=False)


def _golden_pixels(network: Network, examples: Batch | None) -> Batch:
    """Return eight images (8, n_in): the first examples, then random ones."""
    random = np.random.default_rng(GOLDEN_SEED)
    pixels = random.random((N_GOLDEN, network.n_inputs), dtype=np.float32)
    if examples is not None:
        if examples.ndim != 2 or examples.shape[1] != network.n_inputs:
            raise NetworkError(f"examples: shape {examples.shape}, wanted (E, {network.n_inputs})")
        pixels = np.concatenate([examples.astype(np.float32), pixels])[:N_GOLDEN]
    return pixels
