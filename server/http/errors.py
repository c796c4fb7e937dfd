"""What goes wrong with a request: a status, and JSON that says why."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

import grpc
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mlpserve.errors import details_of

STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
"""The HTTP status for a gRPC status; 500 for others."""

TOO_LARGE = {"MESSAGE_BYTES", "ANSWER_BYTES"}
"""Reasons of RESOURCE_EXHAUSTED that waiting does not mend."""


class HttpError(Exception):
    """A request that is refused: `{"error": message}`, and what else programs may want to know."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "INVALID_ARGUMENT",
        reason: str = "",
        violations: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})
        self.content: dict[str, Any] = {"error": message, "code": code}
        if reason or violations:
            self.content["reason"] = reason or violations[0]["reason"]
        if violations:
            self.content["violations"] = list(violations)

    @classmethod
    def from_rpc_error(cls, error: grpc.RpcError) -> Self:
        """Return the error for one that a call to the gRPC port ended with."""
        code, details = error.code(), details_of(error)
        status = STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
        headers = {}
        if details.reason in TOO_LARGE:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        elif status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            headers["retry-after"] = str(max(1, math.ceil(details.retry_after_seconds or 1)))
        elif status == HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = "Bearer"
        return cls(
            status,
            error.details() or code.name,
            code=code.name,
            reason=details.reason,
            violations=[
                {"field": field, "description": description, "reason": reason}
                for field, description, reason in details.violations
            ],
            headers=headers,
        )


def json_response(
    content: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response of JSON, whose numbers may be in NumPy's arrays."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers, media_type="application/json")


def _answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    return json_response(error.content, error.status, error.headers)


def _answer_routing(_request: Request, error: Exception) -> Response:
    """Answer what Starlette refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    content = {"error": f"{error.detail}; /openapi.json lists what there is"}
    return json_response(content, error.status_code, error.headers)


HANDLERS: Mapping[Any, Any] = {HttpError: _answer_http_error, HTTPException: _answer_routing}
"""For Starlette."""
