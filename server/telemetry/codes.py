"""gRPC's status codes: which errors end with which, and their names in metrics and logs."""

from collections.abc import Mapping

import grpc

from server import errors

_CODES: Mapping[type[Exception], grpc.StatusCode] = {
    errors.InvalidField: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotLoaded: grpc.StatusCode.NOT_FOUND,
    errors.NotReady: grpc.StatusCode.UNAVAILABLE,
    errors.WrongState: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Expired: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
}

_NAMES = {
    code: code.name.title().replace("_", "").replace("Cancelled", "Canceled")
    for code in grpc.StatusCode
} | {grpc.StatusCode.OK: "OK"}


def code_name(code: grpc.StatusCode) -> str:
    """Return a code's name as Go spells it and dashboards expect it: InvalidArgument."""
    return _NAMES[code]


def code_of(error: Exception) -> grpc.StatusCode:
    """Return the code of a call that ends with an error, INTERNAL for an unexpected one."""
    return _CODES.get(type(error), grpc.StatusCode.INTERNAL)
