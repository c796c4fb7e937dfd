"""What goes wrong with a request: a status, and JSON that says why."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from server.errors import INTERNAL_MESSAGE
from server.http.coding.json_text import dump

log = structlog.get_logger()

CALLER_LEFT = 499
"""The status for those who no longer wait for it, which they never see."""

LATER = {"retry-after": "1"}
"""Headers for those who may ask again in a second."""

CODES = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "UNIMPLEMENTED",
    HTTPStatus.REQUEST_TIMEOUT: "DEADLINE_EXCEEDED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RESOURCE_EXHAUSTED",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    CALLER_LEFT: "CANCELLED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}
"""gRPC's name for what HTTP's process itself refuses; INVALID_ARGUMENT for other statuses."""


class HttpError(Exception):
    """A request that is refused: `{"error": message}`, and what else programs may want to know."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        violations: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`code` is gRPC's name of what is wrong, by default the one that goes with the status."""
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})
        self.content: dict[str, Any] = {
            "error": message,
            "code": code or CODES.get(status, "INVALID_ARGUMENT"),
        }
        if reason or violations:
            self.content["reason"] = reason or violations[0]["reason"]
        if violations:
            self.content["violations"] = list(violations)

    def response(self) -> Response:
        """Return the answer."""
        return json_response(self.content, self.status, self.headers)


def json_response(
    content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response of JSON, whose numbers may be in NumPy's arrays; where those may be many,
    `aside` should call this.
    """
    return Response(dump(content), status, headers, media_type="application/json")


def internal_error() -> HttpError:
    """Log the exception that is being handled, and return what its caller is told."""
    log.exception("an HTTP request failed")
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_MESSAGE, reason="INTERNAL")


def explain(error: HttpError | HTTPException, scope: Scope) -> HttpError:
    """Return what a caller is told, also of what Starlette refuses: unknown paths and methods."""
    if isinstance(error, HttpError):
        return error
    words = f"{scope['method']} {scope['path']:.200}: {error.detail}"
    return HttpError(
        error.status_code, f"{words}; /openapi.json lists all paths", headers=error.headers
    )
