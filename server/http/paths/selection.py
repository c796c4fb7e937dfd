"""Which model a path names."""

from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import Request

from server.http.errors import HttpError

MAX_VERSION = 2**63 - 1
MAX_DIGITS = len(str(MAX_VERSION))


class Selection(NamedTuple):
    """A model, and its version or label; empty and 0 for what is not named."""

    model: str
    version: int
    label: str


def selected(request: Request) -> Selection:
    """Return what a request's path names; raises HttpError for a version that is not a number."""
    path = request.path_params
    version = _read_version(path["version"]) if "version" in path else 0
    return Selection(path.get("model", ""), version, path.get("label", ""))


def _read_version(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        version = int(text)
        if 0 < version <= MAX_VERSION:
            return version
    description = f"{text!r:.80} is not a version; give a positive integer, such as 1"
    raise HttpError(
        HTTPStatus.BAD_REQUEST,
        f"version: {description}",
        reason="VERSION",
        violations=[{"field": "version", "description": description, "reason": "VERSION"}],
    )
