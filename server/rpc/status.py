"""Errors as gRPC statuses with google.rpc details, so that programs can act on them.

Each has an ErrorInfo, whose reason is a RequestReason in capitals; only what is wrong with a field
has its reason in a BadRequest instead. What gRPC refuses by itself has neither.
Whatever texts callers send, a status fits into the 8 KiB of trailers that clients accept: they
would report RESOURCE_EXHAUSTED instead.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from server.errors import (
    INTERNAL_MESSAGE,
    InvalidField,
    NotLoaded,
    Overloaded,
    RequestError,
    TooLarge,
    Unauthenticated,
)
from server.reasons.requests import RequestReason
from server.telemetry.codes import code_of
from server.texts import shorten

DETAILS_KEY = "grpc-status-details-bin"
STATUS_TYPE = "type.googleapis.com/google.rpc.Status"
DOMAIN = "mlpserve"

MESSAGE_BYTES = 900
FIELD_BYTES = 200
VALUE_BYTES = 300
"""What a message, the name of its field, and each value of an ErrorInfo may take on the wire.

The message travels twice more in the details, of which base64 makes four thirds.
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Status(grpc.Status):
    """What ends a call: code, message and the details as trailing metadata."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]

    def packed(self) -> any_pb2.Any:
        """Return it as a google.rpc.Status, for where a call doesn't end with it."""
        ((_, content),) = self.trailing_metadata
        assert isinstance(content, bytes)
        return any_pb2.Any(type_url=STATUS_TYPE, value=content)


def status_of(error: Exception) -> Status:
    """Return an error's status; an unexpected one is INTERNAL, with its reason in the log."""
    try:
        return _status_of(error)
    except Exception:
        # The caller gets an answer in any case.
        log.exception("a status could not be made", error=type(error).__name__)
        return _INTERNAL


def _status_of(error: Exception) -> Status:
    match error:
        case InvalidField():
            return _invalid_field(error)
        case Overloaded():
            return _overloaded(error.reason, error.message, error.retry_seconds)
        case Unauthenticated():
            return _unauthenticated(error)
        case NotLoaded():
            return _described(error, error.known)
        case TooLarge(size=size, limit=limit):
            return _described(error, {"bytes": str(size), "max_bytes": str(limit)} if limit else {})
        case RequestError():
            return _described(error, {})
        case _:
            return _INTERNAL


def _described(error: RequestError, values: Mapping[str, str]) -> Status:
    return _status(code_of(error), error.message, _error_info(error, values))


def _invalid_field(error: InvalidField) -> Status:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=shorten(error.field, FIELD_BYTES),
        description=shorten(error.message, MESSAGE_BYTES),
        reason=error.reason.upper(),
    )
    details: list[Message] = [error_details_pb2.BadRequest(field_violations=[violation])]
    if error.refused:
        details.append(_error_info(error, error.refused))
    return _status(code_of(error), error.message, *details)


@functools.lru_cache
def _overloaded(reason: RequestReason, message: str, retry_seconds: float) -> Status:
    """Return the status, made once: under overload it has to be cheap."""
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(round(retry_seconds * 1e9))
    retry = error_details_pb2.RetryInfo(retry_delay=delay)
    error = Overloaded(reason, message)
    return _status(code_of(error), message, _error_info(error, {}), retry)


@functools.lru_cache
def _unauthenticated(error: Unauthenticated) -> Status:
    """Return the status, made once for each of the few errors."""
    return _described(error, {})


def _error_info(error: RequestError, known: Mapping[str, str]) -> error_details_pb2.ErrorInfo:
    metadata = {key: shorten(value, VALUE_BYTES) for key, value in known.items()}
    reason = error.reason.upper()
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


def _status(code: grpc.StatusCode, message: str, *details: Message) -> Status:
    message = shorten(message, MESSAGE_BYTES)
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    number: int = code.value[0]
    content = status_pb2.Status(code=number, message=message, details=packed).SerializeToString()
    return Status(code, message, ((DETAILS_KEY, content),))


_INTERNAL = _status(
    grpc.StatusCode.INTERNAL,
    INTERNAL_MESSAGE,
    _error_info(RequestError("internal", INTERNAL_MESSAGE), {}),
)
