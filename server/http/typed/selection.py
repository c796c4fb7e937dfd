"""Which model a path names."""

from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import Request

from server.http.errors import HttpError

MAX_VERSION = 2**63 - 1


class Selection(NamedTuple):
    """A model, and its version or label; empty and 0 for what is not named."""

    model: str
    version: int
    label: str


def selected(request: Request) -> Selection:
    """Return what a request's path names; raises HttpError for a version that is no number."""
    path = request.path_params
    version = path.get("version", "0")
    if not (version.isascii() and version.isdigit() and int(version) <= MAX_VERSION):
        raise HttpError(
            HTTPStatus.BAD_REQUEST,
            f"version is {version!r:.80}; give a positive integer",
            violations=[{"field": "version", "description": "not a positive integer"}],
        )
    return Selection(path.get("model", ""), int(version), path.get("label", ""))
