"""ModelInfer: requests out of ModelInferRequests, answers into ModelInferResponses.

Both are read and written as bytes, as in `classifier`.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from mlpserve import wire
from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.layout import INPUT, MAX_VERSION, OUTPUT
from server.errors import InvalidField
from server.models.model import LABELS, Model
from server.models.policy import LABEL
from server.rpc import reading
from server.rpc.inference import BYTES, FLOATS, INTEGERS
from server.rpc.inference.contents import Values, read_pixels
from server.running.request import FLOAT_BYTES, HEAD_BYTES, Answer, Request, encodable, label_bytes
from server.texts import quoted

CANONICALIZE = "canonicalize"

MAX_DIMENSIONS = 8
MAX_DESCRIPTION_BYTES = 64 * 1024
"""Bytes of all names, shapes and parameters of a request, without the model's name and the id."""

MAX_DIGITS = len(str(MAX_VERSION))

INTEGER_BYTES = 8
"""What a value of datatype INT64 has."""

CHARACTER_BYTES = 4
"""What UTF-8 needs at most."""

OUTPUT_BYTES = 10 * HEAD_BYTES
"""What stands in a response around an output's name and values at most."""

_INFER, _INFERRED = protocol.ModelInferRequest, protocol.ModelInferResponse
_INPUT, _OUTPUT = _INFER.InferInputTensor, _INFERRED.InferOutputTensor
_CONTENTS = protocol.InferTensorContents
_DESCRIBED = (_INFER.PARAMETERS_FIELD_NUMBER, _INFER.OUTPUTS_FIELD_NUMBER)
_DESCRIBED_INPUT = (
    _INPUT.NAME_FIELD_NUMBER,
    _INPUT.DATATYPE_FIELD_NUMBER,
    _INPUT.SHAPE_FIELD_NUMBER,
    _INPUT.PARAMETERS_FIELD_NUMBER,
)
_SHAPE_TAG = wire.encode_varint(_INPUT.SHAPE_FIELD_NUMBER << 3 | wire.VARINT)


def read_request(message: bytes, patient: bool = True) -> tuple[Request, memoryview]:
    """Return what a serialized ModelInferRequest asks for, and its pixels; raises InvalidField.

    Unless `patient`, raises TakesLong when that would take more than about a millisecond.
    """
    try:
        return _read_request(message, patient)
    except wire.TooMuch as error:
        raise reading.refuse_fields(error, patient) from None
    except (wire.WireError, DecodeError) as error:
        raise InvalidField(
            "not_a_request",
            f"the message ({len(message)} bytes) is not an inference.ModelInferRequest ({error})",
            "",
        ) from error


def _read_request(message: bytes, patient: bool) -> tuple[Request, memoryview]:
    limits = reading.limits(patient)
    fields = wire.read_fields(message, limits)
    inputs = wire.read_contents(fields, _INFER.INPUTS_FIELD_NUMBER)
    raw = wire.read_contents(fields, _INFER.RAW_INPUT_CONTENTS_FIELD_NUMBER)
    if len(inputs) != 1:
        raise InvalidField(
            "inputs", f"inputs: {len(inputs)} tensors, wanted one, called {INPUT}", "inputs"
        )
    tensor = wire.read_fields(inputs[0], limits, depth=1)
    described = _INFER.FromString(_description(fields, tensor))
    (given,) = described.inputs
    if given.name != INPUT:
        raise InvalidField(
            "unknown_input",
            f"inputs: there is no input {quoted(given.name)}, only {INPUT}",
            "inputs",
        )
    datatype = given.datatype
    if datatype not in (FLOATS, BYTES):
        raise InvalidField(
            "datatype",
            f"{INPUT} has datatype {quoted(datatype)}, wanted {FLOATS} or {BYTES}",
            INPUT,
        )
    if len(given.shape) > MAX_DIMENSIONS:
        raise InvalidField(
            "shape",
            f"{INPUT} has a shape of {len(given.shape)} numbers, wanted [N, pixels] or "
            "[N, rows, columns]",
            INPUT,
        )
    shape = tuple(given.shape)
    outputs = tuple([output.name for output in described.outputs])
    if len(set(outputs)) < len(outputs):
        ((twice, _),) = Counter(outputs).most_common(1)
        raise InvalidField(
            "duplicate_output",
            f"outputs: {quoted(twice)} is asked for more than once; name each output once",
            "outputs",
        )
    pixels = read_pixels(
        wire.read_contents(tensor, _INPUT.CONTENTS_FIELD_NUMBER),
        raw,
        Values(datatype, shape),
        limits,
        patient,
    )
    version, label = read_version(
        reading.read_text(fields, _INFER.MODEL_VERSION_FIELD_NUMBER, "model_version")
    )
    wanted = Wanted(
        reading.read_text(fields, _INFER.ID_FIELD_NUMBER, "id"),
        outputs or (OUTPUT, LABELS),
        bool(raw),
    )
    request = Request(
        model=reading.read_name(fields, _INFER.MODEL_NAME_FIELD_NUMBER, "model_name"),
        version=version,
        is_bytes=datatype == BYTES,
        field=INPUT,
        write=wanted.write,
        measure=wanted.measure,
        hidden_activations=any(name not in (OUTPUT, LABELS) for name in outputs),
        canonicalize=_read_canonicalize(described),
        shape=shape,
        outputs=outputs,
        label=label,
    )
    return request, pixels


def _description(fields: list[wire.Field], tensor: list[wire.Field]) -> bytes:
    """Return the message without its values and texts, which is small; raises InvalidField.

    Protobuf may read it, however many parameters and numbers of a shape there are.
    """
    parts: list[bytes | memoryview] = []
    for number, wire_type, value in tensor:
        if isinstance(value, int):
            if number == _INPUT.SHAPE_FIELD_NUMBER:
                parts += (_SHAPE_TAG, wire.encode_varint(value))
        elif wire_type == wire.LENGTH_DELIMITED and number in _DESCRIBED_INPUT:
            parts += wire.encode_tagged(number, value)
    described = wire.encode_tagged(_INFER.INPUTS_FIELD_NUMBER, b"".join(_checked(parts)))
    for number, wire_type, value in fields:
        if (
            wire_type == wire.LENGTH_DELIMITED
            and number in _DESCRIBED
            and not isinstance(value, int)
        ):
            described += wire.encode_tagged(number, value)
    return b"".join(_checked(described))


def _checked(parts: list[bytes | memoryview]) -> list[bytes | memoryview]:
    size = sum(map(len, parts))
    if size > MAX_DESCRIPTION_BYTES:
        raise InvalidField(
            "description_bytes",
            f"names, shape and parameters have {size} bytes together, and {MAX_DESCRIPTION_BYTES} "
            "are read",
            "inputs",
        )
    return parts


def _read_canonicalize(described: protocol.ModelInferRequest) -> bool:
    """Return the parameter of that name, false when there is none."""
    if CANONICALIZE not in described.parameters:
        return False
    value = described.parameters[CANONICALIZE]
    if value.WhichOneof("parameter_choice") != "bool_param":
        raise InvalidField(
            "parameter", f"parameters: {CANONICALIZE} is no truth value", "parameters"
        )
    return bool(value.bool_param)


def read_version(text: str) -> tuple[int, str]:
    """Return the version or the label that a text stands for, 0 and none for an empty one.

    Raises InvalidField.
    """
    if not text:
        return 0, ""
    if LABEL.fullmatch(text):
        return 0, text
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else -1
    if not 0 <= number <= MAX_VERSION:
        raise InvalidField(
            "version",
            f"version: {quoted(text)} is no version; versions are 1, 2, 3, ... or labels such as "
            "stable, empty is the newest",
            "model_version",
        )
    return number, ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the response has beside the model's results: the request's id, the outputs in the order
    of their names, and whether their values go into raw_output_contents.
    """

    identifier: str
    outputs: tuple[str, ...]
    raw: bool

    def write(self, answer: Answer) -> bytes:
        """Return a serialized ModelInferResponse."""
        model, n_images = answer.model, len(answer.labels)
        floats = dict(zip((OUTPUT, *model.outputs[2:]), answer.layers, strict=False))
        head = _INFERRED(
            model_name=encodable(model.name), model_version=str(model.version), id=self.identifier
        )
        parts: list[bytes | memoryview] = [head.SerializeToString()]
        contents: list[bytes | memoryview] = []
        for name in self.outputs:
            values: bytes | memoryview
            if name == LABELS:
                described = _OUTPUT(name=name, datatype=INTEGERS, shape=[n_images])
                values = np.array(list(answer.labels), "<i8").tobytes()
                typed: tuple[int, bytes | memoryview]
                typed = (_CONTENTS.INT64_CONTENTS_FIELD_NUMBER, wire.encode_varints(answer.labels))
            else:
                values = floats[name]
                columns = len(values) // (FLOAT_BYTES * n_images)
                described = _OUTPUT(name=name, datatype=FLOATS, shape=[n_images, columns])
                typed = (_CONTENTS.FP32_CONTENTS_FIELD_NUMBER, values)
            output: list[bytes | memoryview] = [described.SerializeToString()]
            if self.raw:
                contents += wire.encode_tagged(_INFERRED.RAW_OUTPUT_CONTENTS_FIELD_NUMBER, values)
            else:
                content = b"".join(wire.encode_tagged(*typed))
                output += wire.encode_tagged(_OUTPUT.CONTENTS_FIELD_NUMBER, content)
            parts += wire.encode_tagged(_INFERRED.OUTPUTS_FIELD_NUMBER, b"".join(output))
        return b"".join(parts + contents)

    def measure(self, model: Model, n_images: int) -> int:
        """Return the bytes that it has at most."""
        sizes, size, of_image = model.layer_sizes, 0, 0
        for name in self.outputs:
            size += len(name) + OUTPUT_BYTES
            if name == LABELS:
                of_image += INTEGER_BYTES if self.raw else label_bytes(model)
            elif name == OUTPUT:
                of_image += FLOAT_BYTES * sizes[-1]
            else:
                of_image += FLOAT_BYTES * sizes[model.outputs.index(name) - 1]
        texts = len(model.name) + len(self.identifier) + MAX_DIGITS
        return 3 * HEAD_BYTES + CHARACTER_BYTES * texts + size + n_images * of_image
