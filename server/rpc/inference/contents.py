"""The values of a ModelInferRequest's input, out of whichever of the protocol's forms they have."""

import math
from dataclasses import dataclass

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.protocol import packed, wire
from modelfile.layout import INPUT
from server.errors import InvalidField, TakesLong
from server.rpc import reading
from server.rpc.inference import BYTES, FLOATS
from server.running.request import FLOAT_BYTES

MAX_LEVELS = 1 << 23
"""Values of UINT8 that are taken one by one, which is slow; a model's run has fewer by default."""

_CONTENTS = protocol.InferTensorContents
_FLOAT_CONTENTS = _CONTENTS.FP32_CONTENTS_FIELD_NUMBER
_BYTE_CONTENTS = _CONTENTS.UINT_CONTENTS_FIELD_NUMBER
_CONTENTS_TYPES = {
    **dict.fromkeys(range(1, 6), wire.VARINT),
    _CONTENTS.FP32_CONTENTS_FIELD_NUMBER: wire.FIXED32,
    _CONTENTS.FP64_CONTENTS_FIELD_NUMBER: wire.FIXED64,
    _CONTENTS.BYTES_CONTENTS_FIELD_NUMBER: wire.LENGTH_DELIMITED,
}
"""The wire types of contents that are not packed, by their numbers."""


@dataclass(frozen=True, slots=True)
class Values:
    """What the caller says of the values of the input."""

    datatype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return math.prod(self.shape) if self.shape and min(self.shape) > 0 else 0

    def check_bytes(self, size: int) -> None:
        """Raise InvalidField unless they have so many bytes."""
        wanted = self.count * (1 if self.datatype == BYTES else FLOAT_BYTES)
        if size != wanted:
            raise InvalidField(
                "byte_count",
                f"{INPUT} has shape {list(self.shape)} and datatype {self.datatype}, which is "
                f"{self.count} values in {wanted} bytes, but there are {size} bytes; describe the "
                "values that are sent",
                INPUT,
            )


def read_pixels(
    contents: list[memoryview],
    raw: list[memoryview],
    values: Values,
    limits: wire.Limits,
    patient: bool,
) -> memoryview:
    """Return the bytes of the only input, from whichever form it has.

    `contents` are what its InferTensorContents are merged from, `raw` the raw_input_contents.
    Raises InvalidField, TakesLong and WireError.
    """
    if raw and contents:
        raise InvalidField(
            "both_forms",
            f"{INPUT} has contents, and raw_input_contents is given too; send one of them",
            "raw_input_contents",
        )
    if len(raw) > 1:
        raise InvalidField(
            "inputs",
            f"raw_input_contents has {len(raw)} entries for 1 input; send one",
            "raw_input_contents",
        )
    if raw:
        pixels = raw[0]
    elif values.datatype == FLOATS:
        fields = _read_contents(contents, values, limits)
        pixels = reading.join(wire.read_chunks(fields, _FLOAT_CONTENTS), patient)
    else:
        pixels = _read_levels(contents, values, limits, patient)
    values.check_bytes(len(pixels))
    return pixels


def _read_contents(
    contents: list[memoryview], values: Values, limits: wire.Limits
) -> list[wire.Field]:
    """Return the fields of serialized InferTensorContents; raises InvalidField when values are not
    where those of the datatype belong.
    """
    number = _FLOAT_CONTENTS if values.datatype == FLOATS else _BYTE_CONTENTS
    # There is no use in more values than the shape has.
    max_values = max(values.count, reading.QUICK_RUN_FIELDS)
    limits.run_fields = min(limits.run_fields, max_values)
    fields: list[wire.Field] = []
    for message in contents:
        fields += wire.read_fields(message, limits, (number,), depth=2)
    for other, wire_type, value in fields:
        if other == number or other not in _CONTENTS_TYPES:
            continue
        if wire_type == wire.LENGTH_DELIMITED:
            is_value = other == _CONTENTS.BYTES_CONTENTS_FIELD_NUMBER or bool(value)
        else:
            is_value = wire_type == _CONTENTS_TYPES[other]
        if is_value:
            known = _CONTENTS.DESCRIPTOR.fields_by_number
            raise InvalidField(
                "datatype",
                f"{INPUT} has datatype {values.datatype}, whose contents belong in "
                f"{known[number].name}, but there are some in {known[other].name}; move them",
                INPUT,
            )
    return fields


def _read_levels(
    contents: list[memoryview], values: Values, limits: wire.Limits, patient: bool
) -> memoryview:
    """Return the values of UINT8, of which each is a number of its own, as bytes."""
    if values.count > MAX_LEVELS:
        raise InvalidField(
            "byte_count",
            f"{INPUT} has shape {list(values.shape)}, and its contents may have "
            f"{MAX_LEVELS} values; send them in raw_input_contents",
            INPUT,
        )
    if not patient and sum(map(len, contents)) > reading.QUICK_BYTES:
        raise TakesLong("many numbers to decode")
    fields = _read_contents(contents, values, limits)
    varints = wire.read_varints(fields, _BYTE_CONTENTS)
    values.check_bytes(packed.count_varints(varints))
    try:
        return packed.decode_bytes(varints).data
    except packed.NoByte as error:
        raise InvalidField(
            "pixel_range", f"{INPUT}: {error}, wanted 0 to 255 for {BYTES}", INPUT
        ) from None
    except ValueError as error:
        raise wire.WireError(f"uint_contents: {error}") from error
