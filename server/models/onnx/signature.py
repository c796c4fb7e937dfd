"""What goes into a model and what comes out, by names, types and shapes, as ONNX describes it."""

from collections.abc import Sequence

from modelfile.layout import INPUT, output_names
from server.errors import Fault
from server.models.onnx.protobuf import Message

FLOAT = 1
"""ONNX's number of float32."""

GRAPH_INPUTS, GRAPH_OUTPUTS = 11, 12
_VALUE_NAME, _VALUE_TYPE, _VALUE_TEXT = 1, 2, 3
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE = 1, 1, 2
_SHAPE_DIM, _DIM_VALUE = 1, 1


def check_signature(graph: Message, sizes: Sequence[int]) -> None:
    """Raise Fault unless there are the inputs and outputs that the sizes ask for, and no others."""
    outputs = dict(zip(output_names(len(sizes) - 1), sizes[1:], strict=True))
    for field, kind, wanted in (
        (GRAPH_INPUTS, "input", {INPUT: sizes[0]}),
        (GRAPH_OUTPUTS, "output", outputs),
    ):
        types: dict[str, str] = {}
        for value in graph.messages(field, kind):
            name = value.text(_VALUE_NAME)
            if name not in wanted or name in types:
                raise Fault(
                    f"has the {kind} {name!r} beside {', '.join(wanted)}, or twice; a server "
                    "would not know what it means: export the model again",
                    "signature",
                )
            types[name] = _describe(value)
        for name, columns in wanted.items():
            described = types.get(name, "missing")
            if described != f"float32 (N, {columns})":
                raise Fault(
                    f"has {name} {described}, wanted float32 (N, {columns}) for any N; export it "
                    "again",
                    "signature",
                )


def _describe(value: Message) -> str:
    """Return the type of an input or output, such as "float32 (N, 784)"."""
    kind = value.message(_VALUE_TYPE)
    if not kind.has(_TYPE_TENSOR):
        return "no tensor"
    tensor = kind.message(_TYPE_TENSOR)
    element = tensor.integer(_TENSOR_ELEMENT)
    described = "float32" if element == FLOAT else f"of ONNX's type {element}"
    if not tensor.has(_TENSOR_SHAPE):
        return f"{described} of any shape"
    dims = [
        str(dim.integer(_DIM_VALUE)) if dim.has(_DIM_VALUE) else "N"
        for dim in tensor.message(_TENSOR_SHAPE).messages(_SHAPE_DIM, f"{value.what}: dimension")
    ]
    return f"{described} ({', '.join(dims)})"
