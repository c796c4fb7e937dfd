"""Bodies of requests, in bounds."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request

from server.http.errors import HttpError

MAX_BODY_BYTES = 16 * 1024 * 1024


async def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return a request's body; raises HttpError when it has too many bytes."""
    too_large = HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has more than {max_bytes} bytes; send fewer images in one request",
        code="RESOURCE_EXHAUSTED",
        reason="BODY_BYTES",
        headers={"connection": "close"},
    )
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise too_large
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request's body is; raises HttpError."""
    try:
        content = orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the body is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise HttpError(HTTPStatus.BAD_REQUEST, "the body is JSON, but not an object")
    return content
