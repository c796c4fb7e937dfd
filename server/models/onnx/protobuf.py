"""Reads fields of protobuf messages on disk, strictly and with a bound on their number.

The format is described at https://protobuf.dev/programming-guides/encoding. Messages that arrive
are read by `mlpserve.protocol.wire`, which takes all that protobuf does; here, less is enough.
"""

from dataclasses import dataclass, field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES = 10
_MAX_FIELD_NUMBER = (1 << 29) - 1

Value = int | memoryview


class ProtobufError(ValueError):
    """The bytes are not a message, or not one that is expected here; the text says why."""


@dataclass(slots=True)
class Budget:
    """How many more fields may be read, of all messages together."""

    fields: int


@dataclass(frozen=True, slots=True)
class Message:
    """The fields of a message by their number, each with its values in their order.

    `what` is how errors call the message; those inside it share its `budget`.
    """

    what: str
    budget: Budget
    fields: dict[int, list[Value]] = field(default_factory=dict)

    def only(self, *numbers: int) -> "Message":
        """Return the message; raises ProtobufError when it has other fields."""
        if others := sorted(self.fields.keys() - {*numbers}):
            raise ProtobufError(f"{self.what} has field {others[0]}, which the exporter never uses")
        return self

    def integer(self, number: int) -> int:
        """Return a field's only value, as int64; 0 when it is absent."""
        value = self._single(number)
        if value is None:
            return 0
        if not isinstance(value, int):
            raise ProtobufError(f"field {number} of {self.what} is not an integer")
        return value - (1 << 64) if value >> 63 else value

    def content(self, number: int) -> memoryview:
        """Return a field's only value as bytes; empty when it is absent."""
        self._single(number)
        return next(iter(self._contents(number)), memoryview(b""))

    def text(self, number: int) -> str:
        """Return a field's only value as text; empty when it is absent."""
        self._single(number)
        return next(iter(self.texts(number)), "")

    def texts(self, number: int) -> list[str]:
        """Return a field's values as texts."""
        try:
            return [str(content, "utf-8") for content in self._contents(number)]
        except UnicodeDecodeError as error:
            raise ProtobufError(f"field {number} of {self.what} is not UTF-8") from error

    def message(self, number: int, what: str = "") -> "Message":
        """Return a field's only value as a message; without fields when it is absent."""
        return read(self.content(number), what or self.what, self.budget)

    def messages(self, number: int, what: str) -> list["Message"]:
        """Return a field's values as messages; errors number them from 1."""
        return [
            read(content, f"{what} {index}", self.budget)
            for index, content in enumerate(self._contents(number), start=1)
        ]

    def integers(self, number: int) -> list[int]:
        """Return a field's values that are not negative, packed or not."""
        integers: list[int] = []
        for value in self.fields.get(number, ()):
            if isinstance(value, int):
                integers.append(value)
                continue
            position = 0
            while position < len(value):
                integer, position = _read_varint(value, position)
                integers.append(integer)
        return integers

    def has(self, number: int) -> bool:
        """Whether the message has the field."""
        return number in self.fields

    def _contents(self, number: int) -> list[memoryview]:
        contents = []
        for value in self.fields.get(number, ()):
            if isinstance(value, int):
                raise ProtobufError(f"field {number} of {self.what} is an integer")
            contents.append(value)
        return contents

    def _single(self, number: int) -> Value | None:
        values = self.fields.get(number)
        if values is None:
            return None
        # Messages that come twice would have to be joined, which writers never need.
        if len(values) > 1:
            raise ProtobufError(f"{self.what} has field {number} {len(values)} times")
        return values[0]


def read(content: memoryview, what: str, budget: Budget) -> Message:
    """Return the fields of a message.

    Raises ProtobufError when they don't end where the message does, or are more than the budget.
    """
    message = Message(what, budget)
    position, length = 0, len(content)
    while position < length:
        budget.fields -= 1
        if budget.fields < 0:
            raise ProtobufError(f"{what} has more fields than any model of the exporter")
        tag, position = _read_varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= _MAX_FIELD_NUMBER:
            raise ProtobufError(f"{what} has field {number}, which no message can have")
        value: Value
        if wire_type == VARINT:
            value, position = _read_varint(content, position)
        else:
            if wire_type == BYTES:
                size, position = _read_varint(content, position)
            elif wire_type in _SIZES:
                size = _SIZES[wire_type]
            else:
                raise ProtobufError(f"field {number} of {what} has wire type {wire_type}")
            if size > length - position:
                raise ProtobufError(
                    f"field {number} of {what} has {size} bytes, of which {length - position} are "
                    "there"
                )
            value = content[position : position + size]
            position += size
        message.fields.setdefault(number, []).append(value)
    return message


def _read_varint(content: memoryview, position: int) -> tuple[int, int]:
    """Return the integer at a position, and the position after it."""
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        if position + place >= len(content):
            break
        group = content[position + place]
        value |= (group & 0x7F) << 7 * place
        if group < 0x80:
            return value & (1 << 64) - 1, position + place + 1
    raise ProtobufError(f"an integer does not end, {len(content) - position} bytes before the end")
