"""The parts of an OpenAPI document that its pages have in common."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

JSON, PICTURES = "application/json", ("image/png", "image/jpeg")

NUMBER: Json = {"type": "number"}
INTEGER: Json = {"type": "integer"}
TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}

ERRORS = {
    HTTPStatus.BAD_REQUEST: "The request is invalid; `violations` name the fields, if any.",
    HTTPStatus.UNAUTHORIZED: "A token is required, and none or an unknown one was sent.",
    HTTPStatus.FORBIDDEN: "This certificate or token does not permit the request.",
    HTTPStatus.NOT_FOUND: "There is no such model, version or label; the message lists those "
    "that exist.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The path does not support this method; `Allow` lists those "
    "that it does.",
    HTTPStatus.REQUEST_TIMEOUT: "The body took too long to arrive.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request or its answer is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body's media type or coding is not supported.",
    HTTPStatus.TOO_MANY_REQUESTS: "The server is at one of its limits; retry later.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An internal error; the server's log has the reason.",
    HTTPStatus.NOT_IMPLEMENTED: "This is not enabled on the server.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server is starting, stopping or loading its models; "
    "retry later.",
    HTTPStatus.GATEWAY_TIMEOUT: "The request's timeout passed before it was answered.",
}
"""What a status means, for all that is answered with `Error`."""

HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": TEXT},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": INTEGER},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": INTEGER},
}
"""What comes with them."""

ALWAYS = (400, 401, 403, 404, 405, 429, 500, 503, 504)
"""Statuses that each path of the APIs may have."""

BODY = (408, 413, 415)
"""Statuses that paths with a body may have too."""


def items(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def record(description: str, optional: Sequence[str] = (), /, **fields: Json) -> Json:
    """Return the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def or_null(schema: Json) -> Json:
    """Return the schema of what may be null too, which means the same as nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


def described(schema: Json, description: str) -> Json:
    """Return a schema with words."""
    return {**schema, "description": description}


def schema(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def in_path(name: str, description: str, example: str | int, kind: Json = TEXT) -> Json:
    """Return a parameter that is a part of a path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": kind,
        "example": example,
    }


def answer(description: str, content: Mapping[str, Json], headers: Json | None = None) -> Json:
    """Return an answer; `content` has a schema for each type."""
    answered: Json = {
        "description": description,
        "content": {kind: {"schema": form} for kind, form in content.items()},
    }
    if headers:
        answered["headers"] = {name: {"schema": form} for name, form in headers.items()}
    return answered


def operation(
    name: str,
    summary: str,
    answers: Mapping[int, Json],
    errors: Sequence[int] = ALWAYS,
    **more: Any,
) -> Json:
    """Return what a path answers; `more` are a body, parameters and the like."""
    refused = [HTTPStatus(status) for status in errors if status not in answers]
    return {
        "operationId": name,
        "summary": summary,
        **more,
        "responses": {
            **{str(status): told for status, told in answers.items()},
            **{
                str(int(status)): {"$ref": f"#/components/responses/{_name(status)}"}
                for status in refused
            },
        },
    }


def refusals() -> Json:
    """Return the answers of all errors."""
    return {
        _name(status): answer(description, {JSON: schema("Error")}, HEADERS.get(status))
        for status, description in ERRORS.items()
    }


def _name(status: HTTPStatus) -> str:
    return status.phrase.replace(" ", "")
