"""Inference requests: JSON and binary tensors, as the message that the gRPC port takes.

What that refuses by itself, such as an unknown input, goes there without its values.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.layout import INPUT
from server.http.inference import fields
from server.http.inference.elements import decode_elements, split_elements
from server.http.inference.fields import invalid
from server.http.inference.parts import SIZE, binary_of
from server.http.inference.tensors import FLOATS, LEVELS, MAX_DIMENSIONS, TEXTS, encode_numbers

ALL_BINARY, BINARY = "binary_data_output", "binary_data"
"""Parameters of a request and of an output: whether values come behind the JSON."""

MAX_PICTURES = 64
"""In one request."""

_SHARED_MEMORY = "shared_memory_"


class Forms(NamedTuple):
    """Which outputs are wanted in binary form: those named, and others."""

    named: Mapping[str, bool]
    others: bool

    def is_binary(self, output: str) -> bool:
        """Return whether an output is to come behind the JSON."""
        return self.named.get(output, self.others)


Input = protocol.ModelInferRequest.InferInputTensor
Values = bytes | memoryview | list[bytes]
"""The bytes of numbers, or pictures."""


class Asked(NamedTuple):
    """A request; the message has no values, which are bytes, or the pictures of a tensor of BYTES,
    None for one that is refused for something else.
    """

    message: protocol.ModelInferRequest
    values: Values | None
    forms: Forms


def read_request(body: bytes, length: int) -> Asked:
    """Return what a body asks for, whose first `length` bytes are JSON; raises HttpError for what
    is not in the protocol's form.
    """
    content, binary = fields.parse_object(body[:length]), memoryview(body)[length:]
    message = protocol.ModelInferRequest(id=fields.read_text(content, "id"))
    parameters = fields.read_parameters(content)
    is_binary = fields.read_flag(parameters, ALL_BINARY, "parameters.")
    fields.fill_parameters(message.parameters, _without(parameters, ALL_BINARY))
    named = _read_outputs(content, message)
    inputs = fields.read_objects(content, "inputs")
    shares = binary_of(inputs, binary)
    values: Values | None = None
    for (place, tensor), share in zip(inputs, shares, strict=True):
        described = message.inputs.add(
            name=fields.read_text(tensor, "name", place),
            datatype=fields.read_text(tensor, "datatype", place),
            shape=fields.read_shape(tensor, place),
        )
        given = fields.read_parameters(tensor, place)
        fields.fill_parameters(described.parameters, _without(given, SIZE), place)
        if len(inputs) == 1 and _is_known(described):
            values = _read_values(described, tensor, share, place)
    return Asked(message, values, Forms(named, is_binary or False))


def _read_outputs(content: dict[str, Any], message: protocol.ModelInferRequest) -> dict[str, bool]:
    """Put the outputs into the message; return which of them say whether they are binary."""
    named = {}
    for place, output in fields.read_objects(content, "outputs"):
        asked = message.outputs.add(name=fields.read_text(output, "name", place))
        parameters = fields.read_parameters(output, place)
        is_binary = fields.read_flag(parameters, BINARY, f"{place}parameters.")
        if is_binary is not None:
            named[asked.name] = is_binary
        fields.fill_parameters(asked.parameters, _without(parameters, BINARY), place)
    return named


def _is_known(tensor: Input) -> bool:
    """Return whether a model may have an input of this kind."""
    return (
        tensor.name == INPUT
        and tensor.datatype in (FLOATS, LEVELS, TEXTS)
        and len(tensor.shape) <= MAX_DIMENSIONS
        and min(tensor.shape, default=0) >= 0
        and not any(name.startswith(_SHARED_MEMORY) for name in tensor.parameters)
    )


def _read_values(
    described: Input, tensor: dict[str, Any], share: memoryview | None, place: str
) -> Values:
    field, shape, kind = f"{place}data", list(described.shape), described.datatype
    data = fields.read_list(tensor, "data", place)
    if data is not None and share is not None:
        raise invalid(field, f"{field} and {SIZE} are both given; leave one out", "BOTH_FORMS")
    if share is not None:
        if kind == TEXTS:
            return split_elements(share, _count_pictures(shape, place), field)
        return share
    if data is None:
        raise invalid(
            field,
            f"{field} is missing; give the values as a list, or behind the JSON with their size "
            f"as the parameter {SIZE}",
            "NO_PIXELS",
        )
    if kind == TEXTS:
        return decode_elements(data, _count_pictures(shape, place), field)
    return encode_numbers(data, kind, shape, field)


def _count_pictures(shape: list[int], place: str) -> int:
    """Return how many pictures a tensor of BYTES has; raises HttpError."""
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise invalid(
            f"{place}shape",
            f"{place}shape is {shape}, wanted [N] or [N, 1] for {TEXTS}: N pictures",
            "SHAPE",
        )
    if not 1 <= shape[0] <= MAX_PICTURES:
        raise invalid(
            f"{place}shape",
            f"{place}shape is {shape}, wanted 1 to {MAX_PICTURES} pictures in one request",
            "SHAPE",
        )
    return shape[0]


def _without(parameters: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name != left_out}
