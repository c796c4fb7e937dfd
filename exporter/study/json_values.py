"""Dataclasses back from JSON, by the types that their fields are declared to have."""

from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def from_json(kind: type[T], value: Any) -> T:
    """Return the `kind` that `dataclasses.asdict` and JSON made this value of.

    `kind` is a dataclass whose fields are texts, numbers, dataclasses, tuples of any length, or one
    of those or None; unknown keys are ignored. Raises KeyError, TypeError,
    ValueError or OverflowError when the value is something else.
    """
    return _read(kind, value)  # type: ignore[no-any-return]


def _read(kind: Any, value: Any) -> Any:
    construct = kind
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return construct(**{name: _read(hint, value[name]) for name, hint in hints.items()})
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return tuple(_read(arguments[0], item) for item in value)
    if get_origin(kind) is UnionType:
        (other,) = set(arguments) - {NoneType}
        return None if value is None else _read(other, value)
    return kind(value)
