"""Fields of JSON objects, by their types; null stands for a field that is not there."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import orjson

from server.http.coding.numbers import MAX_NUMBERS, has_too_many, shown
from server.http.errors import HttpError
from server.texts import quoted

MAX_ITEMS = 1000
"""Tensors or parameters in one place of a request."""

_INT64 = range(-(1 << 63), 1 << 63)

T = TypeVar("T")


def invalid(field: str, message: str, reason: str) -> HttpError:
    """Return the error of a request in which a field is wrong."""
    violation = {"field": field, "description": message, "reason": reason}
    return HttpError(HTTPStatus.BAD_REQUEST, message, violations=[violation])


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that a text is; raises HttpError."""
    if has_too_many(text):
        raise HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the JSON has more than {MAX_NUMBERS} numbers; send them as binary data, or fewer "
            "images in one request",
            reason="BODY_NUMBERS",
        )
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _no_object(f"not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise _no_object(f"{shown(content)}, wanted a JSON object")
    return content


def _no_object(why: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, f"the request is {why}", reason="JSON")


def _read(
    content: Mapping[str, Any], name: str, where: str, kind: type[T], wanted: str
) -> T | None:
    """Return a field of an object at `where`, None when it is not there; raises HttpError."""
    value = content.get(name)
    if value is None or type(value) is kind:
        return value
    raise invalid(
        f"{where}{name}", f"{where}{name} is {shown(value)}, wanted {wanted}", "FIELD_TYPE"
    )


def read_text(content: Mapping[str, Any], name: str, where: str = "") -> str:
    """Return a text, empty when it is not there."""
    return _read(content, name, where, str, "a string") or ""


def read_flag(content: Mapping[str, Any], name: str, where: str = "") -> bool | None:
    """Return a boolean."""
    return _read(content, name, where, bool, "true or false")


def read_size(content: Mapping[str, Any], name: str, where: str = "") -> int | None:
    """Return a number of bytes."""
    wanted = "a number of bytes"
    size = _read(content, name, where, int, wanted)
    if size is not None and size < 0:
        raise invalid(f"{where}{name}", f"{where}{name} is {size}, wanted {wanted}", "FIELD_TYPE")
    return size


def read_list(content: Mapping[str, Any], name: str, where: str = "") -> list[Any] | None:
    """Return a list of whatever it holds."""
    return _read(content, name, where, list, "a list")


def read_objects(content: Mapping[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects of a list, each with its place, such as `inputs[0].`."""
    objects = read_list(content, name) or []
    if len(objects) > MAX_ITEMS:
        raise invalid(
            name, f"{name} has {len(objects)} entries, wanted at most {MAX_ITEMS}", "FIELD_TYPE"
        )
    for index, item in enumerate(objects):
        if type(item) is not dict:
            place = f"{name}[{index}]"
            raise invalid(place, f"{place} is {shown(item)}, wanted an object", "FIELD_TYPE")
    return [(f"{name}[{index}].", item) for index, item in enumerate(objects)]


def read_shape(content: Mapping[str, Any], where: str) -> list[int]:
    """Return a list of integers of 64 bits."""
    shape = read_list(content, "shape", where)
    field = f"{where}shape"
    if shape is None:
        raise invalid(field, f"{field} is missing; give a list of integers", "SHAPE")
    if not set(map(type, shape)) <= {int}:
        other = next(size for size in shape if type(size) is not int)
        raise invalid(field, f"{field} holds {shown(other)}, wanted integers", "SHAPE")
    if shape and not (min(shape) in _INT64 and max(shape) in _INT64):
        other = next(size for size in shape if size not in _INT64)
        raise invalid(field, f"{field} holds {other}, which doesn't fit into an int64", "SHAPE")
    return shape


def read_parameters(content: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return an object's parameters."""
    parameters = _read(content, "parameters", where, dict, "an object") or {}
    if len(parameters) > MAX_ITEMS:
        raise invalid(
            f"{where}parameters",
            f"{where}parameters has {len(parameters)} entries, wanted at most {MAX_ITEMS}",
            "PARAMETER",
        )
    return parameters


def fill_parameters(target: Any, parameters: Mapping[str, Any], where: str = "") -> None:
    """Put parameters into a message's map of them; raises HttpError for a value without a type."""
    for name, value in parameters.items():
        choice = _choice(value)
        entry = target[name]
        if choice not in entry.DESCRIPTOR.fields_by_name:
            field = f"{where}parameters"
            raise invalid(
                field,
                f"{field}: {quoted(name)} is {shown(value)}, wanted a string, a number, true or "
                "false",
                "PARAMETER",
            )
        setattr(entry, choice, value)


def _choice(value: Any) -> str:
    """Return the field that a parameter of this value has in messages, empty for none."""
    match value:
        case bool():
            return "bool_param"
        case int():
            return "int64_param" if value in _INT64 else "uint64_param"
        case float():
            return "double_param"
        case str():
            return "string_param"
    return ""
