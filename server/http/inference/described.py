"""Messages as JSON has them in this protocol: fields by their names, all integers as numbers."""

from typing import Any

from google.protobuf.message import Message


def describe(message: Message) -> dict[str, Any]:
    """Return a message's fields, also those with the value that they have when unset; messages and
    choices only if they are set.

    Protobuf's own JSON has integers of 64 bits as texts, which no client of the protocol expects.
    """
    return {
        field.name: _describe_field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _describe_field(field: Any, value: Any) -> Any:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        kind = entry.fields_by_name["value"]
        return {name: _describe_value(kind, value[name]) for name in sorted(value)}
    if field.is_repeated:
        return [_describe_value(field, item) for item in value]
    return _describe_value(field, value)


def _describe_value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return describe(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value
