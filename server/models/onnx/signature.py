"""What goes into a model and what comes out, by names, types and shapes, as ONNX describes it."""

from collections.abc import Sequence

from modelfile.layout import INPUT, output_names
from server.errors import Fault
from server.models.onnx import protobuf
from server.models.onnx.protobuf import Budget, Message

FLOAT = 1
"""ONNX's number of float32."""

GRAPH_INPUTS, GRAPH_OUTPUTS = 11, 12
_VALUE_NAME, _VALUE_TYPE, _VALUE_TEXT = 1, 2, 3
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE = 1, 1, 2
_SHAPE_DIM, _DIM_VALUE = 1, 1


def check_signature(graph: Message, sizes: Sequence[int], budget: Budget) -> None:
    """Raise Fault unless there are the inputs and outputs that the sizes ask for, and no others."""
    outputs = dict(zip(output_names(len(sizes) - 1), sizes[1:], strict=True))
    for field, kind, wanted in (
        (GRAPH_INPUTS, "input", {INPUT: sizes[0]}),
        (GRAPH_OUTPUTS, "output", outputs),
    ):
        types: dict[str, str] = {}
        for value in protobuf.read_all(graph.contents(field), kind, budget):
            name = value.text(_VALUE_NAME)
            if name not in wanted or name in types:
                raise Fault(
                    f"has the {kind} {name!r} beside {', '.join(wanted)}, or twice; a server "
                    "would not know what it means: export the model again",
                    "signature",
                )
            types[name] = _describe(value, budget)
        for name, columns in wanted.items():
            described = types.get(name, "missing")
            if described != f"float32 (N, {columns})":
                raise Fault(
                    f"has {name} {described}, wanted float32 (N, {columns}) for any N; export it "
                    "again",
                    "signature",
                )


def _describe(value: Message, budget: Budget) -> str:
    """Return the type of an input or output, such as "float32 (N, 784)"."""
    kind = protobuf.read(value.content(_VALUE_TYPE), value.what, budget)
    if not kind.has(_TYPE_TENSOR):
        return "no tensor"
    tensor = protobuf.read(kind.content(_TYPE_TENSOR), value.what, budget)
    element = tensor.integer(_TENSOR_ELEMENT)
    described = "float32" if element == FLOAT else f"of ONNX's type {element}"
    if not tensor.has(_TENSOR_SHAPE):
        return f"{described} of any shape"
    shape = protobuf.read(tensor.content(_TENSOR_SHAPE), value.what, budget)
    contents = shape.contents(_SHAPE_DIM)
    dims = [
        str(dim.integer(_DIM_VALUE)) if dim.has(_DIM_VALUE) else "N"
        for dim in protobuf.read_all(contents, f"{value.what}: dimension", budget)
    ]
    return f"{described} ({', '.join(dims)})"
