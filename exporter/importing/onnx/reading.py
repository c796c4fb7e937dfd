"""From the bytes of an .onnx file to a graph that ONNX's checker approves of, within bounds."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import AttributeProto, TensorProto

from exporter.files import MAX_BYTES, READ_ERRORS
from exporter.importing.onnx import functions
from exporter.importing.onnx.values import NoLayerError, describe, shown
from exporter.network.weights_file import WeightsError

MAX_NODES = 2_000
MIN_OPSET = 7
"""The first whose operators broadcast as NumPy does."""

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")

SAVE_INSIDE = "save it with its weights inside: torch.onnx.export(..., external_data=False)"


def read(path: Path, content: bytes) -> onnx.ModelProto:
    """Return the model, with its weights from files beside it; raises WeightsError.

    Nothing is computed but what the checker does: the count of its nodes, the size of its weights
    and the domains of its operators are known to be within bounds.
    """
    try:
        model = onnx.load_model_from_string(content)
    except READ_ERRORS as error:
        raise WeightsError("not a whole ONNX file; export it again") from error
    _check_bounds(model)
    model = functions.inline(model)
    for node in model.graph.node:
        _check_node(node)
    budget = MAX_BYTES - len(content)
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            budget -= _read_beside(path.parent, tensor, budget)
    _check(model)
    return model


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return max(versions, default=MIN_OPSET)


def needed_names(graph: onnx.GraphProto, outputs: Iterable[str]) -> set[str]:
    """Return the names of all tensors that some outputs are computed from, and of these."""
    needed = set(outputs)
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
    return needed


def _check_bounds(model: onnx.ModelProto) -> None:
    """Raise WeightsError for what is too large, too old, too new or of an unusual kind."""
    graph, version, newest = model.graph, opset(model), onnx.defs.onnx_opset_version()
    if not graph.node:
        raise WeightsError("holds no graph with nodes; export it again")
    n_nodes = functions.count_nodes(model, MAX_NODES)
    if n_nodes > MAX_NODES:
        raise WeightsError(
            f"has {n_nodes} nodes or more, wanted up to {MAX_NODES}: no multilayer perceptron"
        )
    if version < MIN_OPSET:
        raise WeightsError(f"has opset {version}, wanted {MIN_OPSET} or later; export it again")
    if version > newest:
        raise WeightsError(
            f"has opset {version}, and the installed onnx knows up to {newest}; export it with "
            f"opset_version={newest} or lower"
        )
    if graph.sparse_initializer:
        raise WeightsError("holds sparse weights; save them as ordinary tensors")


def _check(model: onnx.ModelProto) -> None:
    """Raise WeightsError unless ONNX's checker approves."""
    kinds = [value.type for value in model.graph.output if value.type.HasField("tensor_type")]
    # The checker asks for shapes, even of outputs, which nobody needs to know.
    shapeless = [kind.tensor_type for kind in kinds if not kind.tensor_type.HasField("shape")]
    for tensor in shapeless:
        tensor.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except READ_ERRORS as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(
            f"is not a valid ONNX graph ({shown(first)}); export it again"
        ) from error
    for tensor in shapeless:
        tensor.ClearField("shape")


def _check_node(node: onnx.NodeProto) -> None:
    """Raise WeightsError for operators of other domains, and for graphs inside of nodes."""
    if node.domain not in DOMAINS:
        raise WeightsError(
            f"{describe(node)} is an operator of the domain '{shown(node.domain)}', which is not "
            "ONNX's own; export the network before it is optimised for a runtime"
        )
    if not onnx.defs.has(node.op_type, "" if node.domain == "ai.onnx" else node.domain):
        raise NoLayerError(f"{describe(node)} is not an operator of ONNX; export it again")
    if any(
        attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS)
        for attribute in node.attribute
    ):
        raise WeightsError(
            f"{describe(node)} decides or repeats while it runs; a multilayer perceptron does "
            "neither: leave conditions and loops out of what is exported"
        )


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Yield the weights of a graph, and the tensors in its nodes' attributes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def _read_beside(folder: Path, tensor: TensorProto, budget: int) -> int:
    """Read a tensor's bytes from the file beside the model that it names, and return how many.

    Only a plain file of the same folder is opened.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    name, where = entries.get("location", ""), f"'{shown(tensor.name)}'"
    path = folder / name
    plain = name not in ("", ".", "..") and Path(name).name == name and "\\" not in name
    if not plain or path.is_symlink():
        raise WeightsError(f"{where} lies in '{shown(name)}', not beside the file; {SAVE_INSIDE}")
    try:
        # Opening anything but a regular file may block for ever.
        if path.exists() and not path.is_file():
            raise ValueError("no file")
        with path.open("rb") as file:
            size = path.stat().st_size
            offset = int(entries.get("offset", 0))
            length = int(entries.get("length", size - offset))
            if offset < 0 or not 0 <= length <= size - offset:
                raise ValueError(f"{length} bytes from {offset} on, of {size}")
            if length > budget:
                raise ValueError(f"more than {MAX_BYTES} bytes in all")
            file.seek(offset)
            tensor.raw_data = file.read(length)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(
            f"{where} lies in '{shown(name)}' beside the file, which can't be read ({reason}); put "
            f"both into one folder, or {SAVE_INSIDE}"
        ) from error
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
    return length
