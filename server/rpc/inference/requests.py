"""ModelInfer: requests out of ModelInferRequests, read as bytes, as in `classifier`."""

from collections import Counter
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.protocol import wire
from modelfile.layout import INPUT, MAX_VERSION, OUTPUT
from server.errors import InvalidField
from server.models.model import LABELS
from server.models.policy import LABEL
from server.rpc import reading
from server.rpc.inference import BYTES, FLOATS
from server.rpc.inference.contents import Values, read_pixels
from server.rpc.inference.parameters import (
    Options,
    check_memory,
    read_class_count,
    read_options,
    read_raw,
)
from server.rpc.inference.responses import MAX_DIGITS, Output, Wanted
from server.rpc.remembered import Remembered
from server.running.request import CANONICALIZE_SECONDS, NO_IDENTIFIER, Request
from server.texts import quoted

MAX_DIMENSIONS = 8
MAX_DESCRIPTION_BYTES = 64 * 1024
"""Bytes of all names, shapes and parameters of a request, without the model's name and the id."""

TEXT_SECONDS = 2e-6
"""Roughly what it takes to write a value as a text."""

_INFER = protocol.ModelInferRequest
_INPUT = _INFER.InferInputTensor
_NAME, _ID = _INFER.MODEL_NAME_FIELD_NUMBER, _INFER.ID_FIELD_NUMBER
_VERSION, _RAW = _INFER.MODEL_VERSION_FIELD_NUMBER, _INFER.RAW_INPUT_CONTENTS_FIELD_NUMBER
_FIRST_TAGS = tuple([number << 3 | wire.LENGTH_DELIMITED for number in (_NAME, _VERSION, _ID)])
"""With these most messages begin, each of them if it is there."""

_MAX_ONE_BYTE_SIZE = 0x7F
_MAX_SHORT_FIELD = 2 + _MAX_ONE_BYTE_SIZE
_DESCRIBED = (_INFER.PARAMETERS_FIELD_NUMBER, _INFER.OUTPUTS_FIELD_NUMBER)
_DESCRIBED_INPUT = (
    _INPUT.NAME_FIELD_NUMBER,
    _INPUT.DATATYPE_FIELD_NUMBER,
    _INPUT.SHAPE_FIELD_NUMBER,
    _INPUT.PARAMETERS_FIELD_NUMBER,
)
_SHAPE_TAG = wire.encode_varint(_INPUT.SHAPE_FIELD_NUMBER << 3 | wire.VARINT)
_KNOWN = Remembered()
"""Messages without an id by their length; others by what stands before it, and the length of what
comes after it.
"""


def read_request(message: bytes, patient: bool = True) -> tuple[Request, memoryview, bytes]:
    """Return what a serialized ModelInferRequest asks for, its pixels, and its field `id`.

    That is still serialized, empty when there is none. Raises InvalidField; and unless `patient`,
    TakesLong when reading would take more than about a millisecond.
    """
    known = _KNOWN.find(len(message), message, 0, NO_IDENTIFIER)
    if known is not None:
        return known
    begin, end = _find_id(message)
    identifier = message[begin:end]
    # Other ids have to be checked.
    if identifier and identifier.isascii():
        known = _KNOWN.find((message[:begin], len(message) - end), message, end, identifier)
        if known is not None:
            return known
    try:
        fields = wire.read_fields(message, limits := reading.limits(patient))
        identifier = _read_id(fields)
        request, pixels = _read_request(fields, limits, patient, len(identifier))
    except wire.TooMuch as error:
        raise reading.refuse_fields(error, patient) from None
    except (wire.WireError, DecodeError) as error:
        raise InvalidField(
            "not_a_request",
            f"the message ({len(message)} bytes) is not an inference.ModelInferRequest ({error}); "
            "generate the client from proto/inference/open_inference.proto",
            "",
        ) from error
    # Bytes that stand as numbers must be decoded each time.
    if not request.is_bytes or wire.read_contents(fields, _RAW):
        n_ids = len(wire.read_contents(fields, _ID))
        if not n_ids:
            _KNOWN.add(len(message), message, 0, pixels, request)
        elif n_ids == 1 and end > begin:
            _KNOWN.add((message[:begin], len(message) - end), message, end, pixels, request)
    return request, pixels, identifier


def read_id(message: bytes) -> bytes:
    """Return the serialized field `id` of a message that may be none, empty if it has none."""
    try:
        return _read_id(wire.read_fields(message, reading.limits(patient=False)))
    except (wire.WireError, InvalidField):
        return b""


def _read_id(fields: list[wire.Field]) -> bytes:
    text = reading.read_text(fields, _ID, "id")
    return b"".join(wire.encode_tagged(_ID, text.encode())) if text else b""


def _find_id(message: bytes) -> tuple[int, int]:
    """Return where the field `id` begins and ends if it stands where clients write it, right after
    the model's name and version, whichever of these there are; an empty place if it does not.
    """
    begin = end = 0
    size = len(message) - 1
    for tag in _FIRST_TAGS:
        begin = end
        if end < size and message[end] == tag and message[end + 1] <= _MAX_ONE_BYTE_SIZE:
            end += 2 + message[end + 1]
    return (begin, end) if end <= size else (0, 0)


def _read_request(
    fields: list[wire.Field], limits: wire.Limits, patient: bool, id_bytes: int
) -> tuple[Request, memoryview]:
    inputs = wire.read_contents(fields, _INFER.INPUTS_FIELD_NUMBER)
    raw = wire.read_contents(fields, _RAW)
    if len(inputs) != 1:
        raise InvalidField(
            "inputs", f"inputs: {len(inputs)} tensors, wanted one, called {INPUT}", "inputs"
        )
    tensor = wire.read_fields(inputs[0], limits, depth=1)
    described = _INFER.FromString(_description(fields, tensor))
    (given,) = described.inputs
    _check_input(given)
    shape = tuple(given.shape)
    options = read_options(described.parameters)
    # Whoever sends the same but for a short id may get the same request.
    max_id_bytes = max(id_bytes, _MAX_SHORT_FIELD)
    wanted = _read_outputs(described.outputs, options, bool(raw), max_id_bytes)
    pixels = read_pixels(
        wire.read_contents(tensor, _INPUT.CONTENTS_FIELD_NUMBER),
        raw,
        Values(given.datatype, shape),
        limits,
        patient,
    )
    version, label = read_version(reading.read_text(fields, _VERSION, "model_version"))
    names = tuple([output.name for output in wanted.outputs])
    extra_seconds = TEXT_SECONDS * sum(output.class_count for output in wanted.outputs)
    request = Request(
        model=reading.read_name(fields, _NAME, "model_name"),
        version=version,
        is_bytes=given.datatype == BYTES,
        field=INPUT,
        write=wanted.write,
        measure=wanted.measure,
        write_each=None if wanted.has_classes else wanted.write_each,
        hidden_activations=any(name not in (OUTPUT, LABELS) for name in names),
        canonicalize=options.canonicalize,
        shape=shape,
        outputs=names,
        label=label,
        timeout_seconds=options.timeout_seconds,
        extra_seconds=extra_seconds + CANONICALIZE_SECONDS * options.canonicalize,
    )
    return request, pixels


def _check_input(given: protocol.ModelInferRequest.InferInputTensor) -> None:
    """Raise InvalidField unless an input is one that models have."""
    if given.name != INPUT:
        raise InvalidField(
            "unknown_input",
            f"inputs: there is no input {quoted(given.name)}, only {INPUT}",
            "inputs",
        )
    check_memory(given.parameters, f"inputs: {INPUT}")
    if given.datatype not in (FLOATS, BYTES):
        raise InvalidField(
            "datatype",
            f"{INPUT} has datatype {quoted(given.datatype)}, wanted {FLOATS} or {BYTES}; convert "
            f"the values to float32 and send them as {FLOATS}",
            INPUT,
        )
    if len(given.shape) > MAX_DIMENSIONS:
        raise InvalidField(
            "shape",
            f"{INPUT} has a shape of {len(given.shape)} dimensions, wanted [N, pixels] or [N, "
            "rows, columns]",
            INPUT,
        )
    if min(given.shape, default=0) < 0:
        raise InvalidField(
            "shape",
            f"{INPUT} has shape {list(given.shape)}; give the number of images in place of a "
            "negative dimension",
            INPUT,
        )


def _read_outputs(
    asked: Sequence[protocol.ModelInferRequest.InferRequestedOutputTensor],
    options: Options,
    is_raw: bool,
    max_id_bytes: int,
) -> Wanted:
    """Return what the response is to hold; raises InvalidField.

    Its values have the form of the request's unless the caller asks for another.
    """
    names = [output.name for output in asked]
    if len(set(names)) < len(names):
        ((twice, _),) = Counter(names).most_common(1)
        raise InvalidField(
            "duplicate_output",
            f"outputs: {quoted(twice)} is asked for more than once; name each output once",
            "outputs",
        )
    outputs, forms = [], set()
    for output in asked:
        name = output.name
        outputs.append(Output(name, read_class_count(output.parameters, quoted(name))))
        forms.add(read_raw(output.parameters, quoted(name)))
        if name == LABELS and outputs[-1].class_count:
            raise InvalidField(
                "parameter",
                f"outputs: {LABELS} has one number for each image, which can't be ranked; ask for "
                f"the classification of {OUTPUT}",
                "outputs",
            )
    forms = {options.raw if form is None else form for form in forms or {None}}
    if len(forms) > 1:
        raise InvalidField(
            "parameter",
            "outputs: some are requested as raw bytes and some are not, but a response has one "
            "form; give binary_data to all of them or to none",
            "outputs",
        )
    (form,) = forms
    return Wanted(
        tuple(outputs) or (Output(OUTPUT), Output(LABELS)),
        is_raw if form is None else form,
        options.marks_final,
        max_id_bytes,
    )


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
            f"names, shape and parameters have {size} bytes together, more than the limit of "
            f"{MAX_DESCRIPTION_BYTES}",
            "inputs",
        )
    return parts


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
            f"version: {quoted(text)} is not a version; versions are 1, 2, 3, ... or labels such "
            "as stable; empty means the newest",
            "model_version",
        )
    return number, ""
