"""Whether a network that was read off a graph answers as the graph does, in ONNX Runtime."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from exporter.files import READ_ERRORS
from exporter.importing.onnx.labels import as_texts
from exporter.importing.onnx.outputs import Found
from exporter.importing.onnx.reading import needed_names
from exporter.importing.onnx.values import shown
from exporter.importing.source import Array, Scaling
from exporter.network.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from exporter.network.network import Network
from exporter.network.weights_file import WeightsError
from modelfile.input_range import FINITE

N_IMAGES = 64
SEED = 20171117
MAX_NUMBERS = 2**26
"""Of all images that are tried, 512 MiB in float64."""

STEEPEST = {"sigmoid": 0.25, "softmax": 0.5, "selu": SELU_SCALE * SELU_ALPHA}
"""The largest derivative of an activation function, or the largest share of the largest error that
reaches an output of softmax; 1 for the others.
"""

Run = Callable[[Sequence[str], Array], list[Any]]


def check(
    model: onnx.ModelProto, found: Found, network: Network, scaling: Scaling, names_kept: bool
) -> str:
    """Return a line on how near the network's answers are to the graph's; raises WeightsError.

    Random numbers of the network's range go to both, scaled for the graph as `scaling` says. What
    differs may be no more than rounding explains.
    """
    rows = found.fixed_batch or max(1, min(N_IMAGES, MAX_NUMBERS // max(network.sizes)))
    if rows * max(network.sizes) > MAX_NUMBERS:
        raise WeightsError(
            f"takes {rows} images at once, too many to try it; export it for any number of images"
        )
    inputs, feed = _draw(found, network, scaling, rows)
    run, runtime = _runtime(model, found)
    with np.errstate(all="ignore"):
        try:
            outputs = [found.end.name, *([found.label_output] if found.label_output else [])]
            answer, *labels = run(outputs, feed)
        except READ_ERRORS as error:
            raise WeightsError(f"can't be run by {runtime} ({_first_line(error)})") from error
        exact, allowed = _forward(found, network, inputs, scaling)
        difference, where = _compare(found, np.asarray(answer), exact, allowed)
    if not difference <= 1:
        raise WeightsError(
            f"is read as a network that answers otherwise than {runtime} does with the file "
            f"(by {where:.2g} with random inputs, where rounding explains {where / difference:.2g}"
            "): it is no plain multilayer perceptron"
        )
    if labels and names_kept:
        _check_labels(found, as_texts(labels[0]), network, exact, 2 * allowed)
    return f"answers as the file does in {runtime}, up to {where:.2g} over {rows} random images"


def _draw(found: Found, network: Network, scaling: Scaling, rows: int) -> tuple[Array, Array]:
    """Return inputs (rows, n) for the network in float64, and the same for the graph."""
    random = np.random.default_rng(SEED)
    n_inputs, inputs_range = network.n_inputs, network.input_range
    shares = random.random((rows, n_inputs), np.float32)
    inputs = inputs_range.at(shares).astype(np.float64)
    if inputs_range == FINITE and found.end.start is not None:
        # As a scaler's numbers are: some deviations around its means.
        scale, shift = found.end.start
        inputs = np.where(scale == 0, inputs, (inputs - shift) / np.where(scale == 0, 1, scale))
    mean, std = (np.asarray(part, np.float64).reshape(-1) for part in (scaling.mean, scaling.std))
    fed = (scaling.scale * inputs - mean) / std
    dtype = found.start.dtype
    if dtype.kind != "f":
        limits = np.iinfo(str(dtype)) if dtype.kind in "iu" else None
        fed = np.rint(fed) if limits is None else np.clip(np.rint(fed), limits.min, limits.max)
        inputs = (fed * std + mean) / scaling.scale
    return inputs, fed.astype(dtype).reshape(rows, *found.start.shape)


def _runtime(model: onnx.ModelProto, found: Found) -> tuple[Run, str]:
    """Return what runs the graph up to its activations and labels: ONNX Runtime if it is there."""
    kept = [value for value in model.graph.output if value.name == found.label_output]
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:], cut.graph.node[:]
    kind = helper.np_dtype_to_tensor_dtype(found.end.dtype)
    cut.graph.output.append(helper.make_tensor_value_info(found.end.name, kind, None))
    cut.graph.output.extend(kept)
    needed = needed_names(model.graph, [value.name for value in cut.graph.output])
    cut.graph.node.extend(node for node in model.graph.node if needed & set(node.output))
    name = found.start.name
    try:
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = runtime.InferenceSession(
            cut.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return lambda outputs, feed: list(session.run(list(outputs), {name: feed})), "ONNX Runtime"
    except READ_ERRORS:
        # It isn't installed, or has no kernel for this dtype or opset.
        evaluator = ReferenceEvaluator(cut)
        return (
            lambda outputs, feed: list(evaluator.run(list(outputs), {name: feed})),
            "ONNX's reference evaluator",
        )


def _forward(
    found: Found, network: Network, inputs: Array, scaling: Scaling
) -> tuple[Array, Array]:
    """Return the exact activations (N, n_out) of the network, and how far rounding may reach.

    Each sum of n products is off by about (sqrt(n) + 4) roundings of the sizes of its terms (Higham
    and Mary, A new approach to probabilistic rounding error analysis, 2019), and by what is carried
    on from the layer before.
    """
    epsilon = max(found.end.epsilon, float(np.finfo(np.float32).eps))
    held = inputs
    sizes = np.abs(inputs) + np.abs(np.asarray(scaling.mean, np.float64).reshape(-1)) / abs(
        scaling.scale
    )
    errors = np.zeros_like(inputs)
    for layer, source in zip(network.layers, found.layers, strict=True):
        weights, biases = layer.weights.astype(np.float64), layer.biases.astype(np.float64)
        size = np.abs(weights)
        roundings = (np.sqrt(weights.shape[1]) + 4) * epsilon
        terms = sizes @ size.T + np.abs(biases) + source.terms
        errors = errors @ size.T + roundings * terms
        held = ACTIVATIONS[layer.activation](held @ weights.T + biases)
        if layer.activation == "softmax":
            errors = np.broadcast_to(errors.max(axis=1, keepdims=True), errors.shape)
        sizes = np.abs(held)
        errors = STEEPEST.get(layer.activation, 1.0) * errors + 16 * epsilon * (
            np.maximum(1, sizes) if layer.activation not in ("relu", "identity") else sizes
        )
    return held, errors


def _compare(found: Found, answer: Array, exact: Array, allowed: Array) -> tuple[float, float]:
    """Return the largest difference as a share of what is allowed, and in itself.

    A network has two outputs where the graph may have one neuron: then its second is that one.
    """
    if answer.size == len(exact) and exact.shape[1] == 2:
        exact, allowed = exact[:, 1:], allowed[:, 1:]
    if answer.size != exact.size:
        return np.inf, np.inf
    numbers = answer.astype(np.float64).reshape(exact.shape)
    numbers = np.exp(numbers) if found.end.log else numbers
    differences = np.abs(numbers - exact)
    if not np.isfinite(differences).all():
        return np.inf, np.inf
    shares = differences / np.maximum(allowed, np.finfo(np.float64).tiny)
    return float(shares.max()), float(differences.max())


def _check_labels(
    found: Found, told: Sequence[str], network: Network, exact: Array, allowed: Array
) -> None:
    """Raise WeightsError when the graph gives clear images another label than the network."""
    ordered = np.sort(exact, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * allowed.max(axis=1)
    for is_clear, winner, label in zip(clear, exact.argmax(axis=1), told, strict=False):
        if is_clear and network.labels[winner] != label:
            raise WeightsError(
                f"output '{shown(found.label_output or '')}' says '{shown(label)}' where the "
                f"brightest output is that of '{shown(network.labels[winner])}': its labels don't "
                "follow the outputs; export it without them, and give --labels"
            )


def _first_line(error: BaseException) -> str:
    return shown(next(iter(str(error).strip().splitlines()), type(error).__name__))
