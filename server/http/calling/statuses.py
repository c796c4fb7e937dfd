"""gRPC's errors as HTTP has them."""

import math
from http import HTTPStatus
from typing import Any

import grpc

from mlpserve.errors import details_of
from mlpserve.protocol.details import Details
from server.http.errors import HttpError

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
    # So a server that stops ends the calls that it has not begun.
    grpc.StatusCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
"""The HTTP status for a gRPC status; 500 for others."""

TOO_LARGE = ("MESSAGE_BYTES", "ANSWER_BYTES")
"""Reasons of RESOURCE_EXHAUSTED that waiting does not mend."""


def from_rpc_error(error: grpc.RpcError) -> HttpError:
    """Return the error for one that a call to the gRPC port ended with."""
    code, details = error.code(), details_of(error)
    status = STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {}
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _is_too_large(details):
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["retry-after"] = retry_after(details.retry_after_seconds)
    elif status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = _challenge(details)
    return HttpError(
        status,
        error.details() or code.name,
        code=code.name,
        reason=details.reason,
        violations=_violations(details),
        headers=headers,
    )


def retry_after(seconds: float | None) -> str:
    """Return whole seconds for Retry-After, at least 1."""
    return str(max(1, math.ceil(seconds or 1)))


def _is_too_large(details: Details) -> bool:
    # With neither, gRPC itself has refused the message.
    is_unexplained = not details.reason and details.retry_after_seconds is None
    return details.reason in TOO_LARGE or is_unexplained


def _challenge(details: Details) -> str:
    """Return what RFC 6750, section 3, has a server say."""
    is_unknown = details.reason == "UNKNOWN_TOKEN"
    return 'Bearer realm="mlpserve"' + (', error="invalid_token"' if is_unknown else "")


def _violations(details: Details) -> list[dict[str, Any]]:
    return [
        {"field": field, "description": description, "reason": reason}
        for field, description, reason in details.violations
    ]
