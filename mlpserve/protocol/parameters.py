"""A caller's parameters as a request, or which of them can't be in one."""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

_NAMES = ("model", "label")
_INTEGERS = range(-(2**63), 2**63)

M = TypeVar("M", bound=Message)


def make_request(kind: type[M], **asked: Any) -> M:
    """Return a request with these fields; raises TypeError and ValueError, which name the parameter
    and say what to give.
    """
    try:
        return kind(**asked)
    except (TypeError, ValueError) as error:
        if words := _explain(asked):
            raise type(error)(words) from error
        raise


def _explain(asked: Mapping[str, object]) -> str:
    for name, value in asked.items():
        wanted = ""
        if name in _NAMES:
            if not (value is None or isinstance(value, str)):
                wanted = f"the {name}'s name as text"
        elif name == "version":
            wanted = _explain_version(value)
        elif not isinstance(value, bool):
            wanted = "True or False"
        if wanted:
            return f"{name} is {value!r:.100}; give {wanted}"
    return ""


def _explain_version(value: object) -> str:
    if value is None or (type(value) is int and value in _INTEGERS):
        return ""
    wanted = "a whole number, 0 for the newest"
    if isinstance(value, str) and not value.isdigit():
        wanted += f", or label={value!r:.100} for a label"
    return wanted
