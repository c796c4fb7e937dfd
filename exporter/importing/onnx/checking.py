"""Whether a network that was read off a graph answers as the graph does, in ONNX Runtime."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from exporter import runtime
from exporter.files import READ_ERRORS
from exporter.importing.onnx.labels import as_texts
from exporter.importing.onnx.outputs import Found
from exporter.importing.onnx.reading import needed_names
from exporter.importing.onnx.values import shown
from exporter.importing.source import Array, Scaling
from exporter.network.network import Network
from exporter.network.weights_file import WeightsError
from modelfile.golden import last
from modelfile.input_range import FINITE
from modelfile.rounding import Computed, Other, compute

N_IMAGES, MIN_IMAGES = 64, 4
MAX_PRODUCTS = 2**28
"""Of weights and inputs: with more than four million weights, fewer images are tried."""

SEED = 20171117
MAX_NUMBERS = 2**26
"""Of all images that are tried, 512 MiB in float64."""


def check(
    model: onnx.ModelProto, found: Found, network: Network, scaling: Scaling, names_kept: bool
) -> str:
    """Return a line on how near the network's answers are to the graph's; raises WeightsError.

    Random numbers of the network's range go to both, scaled for the graph as `scaling` says. What
    differs may be no more than rounding explains.
    """
    enough = min(N_IMAGES, MAX_PRODUCTS // sum(layer.weights.size for layer in network.layers))
    wanted = max(MIN_IMAGES, enough)
    batch = found.fixed_batch or wanted
    if batch * max(network.sizes) > MAX_NUMBERS:
        raise WeightsError(
            f"takes {batch} images at once, too many to try it; export it for any number of images"
        )
    rows = batch * max(1, wanted // batch)
    inputs, feed = _draw(found, network, scaling, rows)
    name, run = _open(model, found)
    with np.errstate(all="ignore"):
        try:
            parts = [run(feed[start : start + batch]) for start in range(0, rows, batch)]
        except READ_ERRORS as error:
            raise WeightsError(f"can't be run by {name} ({_first_line(error)})") from error
        answer = np.concatenate([np.atleast_1d(outputs[0]) for outputs in parts])
        exact = _forward(found, network, inputs, scaling)
        times, difference = _compare(found, answer, exact.activations, exact.allowed)
    if not times <= 1:
        raise WeightsError(
            f"is read as a network whose answers differ from those that {name} gives with the "
            f"file (by {difference:.2g} with random inputs, {times:.2g} times what rounding "
            "explains): it is not a plain multilayer perceptron"
        )
    others = [value.name for value in _tensors(model.graph) if value.name != found.end.name]
    if found.label_output is not None and names_kept:
        place = 1 + others.index(found.label_output)
        labels = [label for outputs in parts for label in as_texts(outputs[place])]
        _check_labels(found, labels, network, exact)
    return f"answers as the file does in {name}, up to {difference:.2g} over {rows} random images"


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


def _open(model: onnx.ModelProto, found: Found) -> tuple[str, runtime.Run]:
    """Return what runs the graph up to its activations and labels, and how."""
    kept = [value for value in _tensors(model.graph) if value.name != found.end.name]
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:], cut.graph.node[:]
    kind = helper.np_dtype_to_tensor_dtype(found.end.dtype)
    cut.graph.output.append(helper.make_tensor_value_info(found.end.name, kind, None))
    cut.graph.output.extend(kept)
    needed = needed_names(model.graph, [value.name for value in cut.graph.output])
    cut.graph.node.extend(node for node in model.graph.node if needed & set(node.output))
    # Old files list their weights among the inputs.
    del cut.graph.input[:]
    cut.graph.input.extend(value for value in model.graph.input if value.name == found.start.name)
    try:
        return runtime.open_model(cut)
    except READ_ERRORS as error:
        if type(error).__name__ == "InvalidGraph":
            reason = _first_line(error)
            raise WeightsError(
                f"is not a graph for ONNX Runtime ({reason}); export it again"
            ) from error
        # It has no kernel for this dtype, or doesn't know this opset yet.
        return runtime.open_reference(cut)


def _tensors(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the outputs that are tensors, not maps from labels to activations."""
    return [value for value in graph.output if value.type.HasField("tensor_type")]


def _forward(found: Found, network: Network, inputs: Array, scaling: Scaling) -> Computed:
    """Return the exact activations (N, n_out) of the network, and how far rounding may reach."""
    unit = max(found.end.epsilon, float(np.finfo(np.float32).eps)) / 2
    mean = np.abs(np.asarray(scaling.mean, np.float64).reshape(-1)) / abs(scaling.scale)
    sizes = [layer.terms for layer in found.layers]
    if len(sizes[-1]) != network.sizes[-1]:
        sizes[-1] = np.repeat(sizes[-1], network.sizes[-1])
    other = Other(unit, 2 * unit * (np.abs(inputs) + mean), sizes)
    return last(compute(network.layers, inputs, other))


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


def _check_labels(found: Found, told: Sequence[str], network: Network, exact: Computed) -> None:
    """Raise WeightsError when the graph gives clear images another label than the network."""
    ordered = np.sort(exact.activations, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 4 * exact.allowed.max(axis=1)
    winners = exact.activations.argmax(axis=1)
    for is_clear, winner, label in zip(clear, winners, told, strict=False):
        if is_clear and network.labels[winner] != label:
            raise WeightsError(
                f"output '{shown(found.label_output or '')}' says '{shown(label)}' where the "
                f"brightest output is that of '{shown(network.labels[winner])}': its labels don't "
                "follow the outputs; export it without them, and give --labels"
            )


def _first_line(error: BaseException) -> str:
    return shown(next(iter(str(error).strip().splitlines()), type(error).__name__))
