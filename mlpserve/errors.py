"""What can go wrong with a call, as small named classes with the server's own words."""

from dataclasses import dataclass

import grpc

from mlpserve import wire

_DETAILS_KEY = "grpc-status-details-bin"
_BAD_REQUEST = "google.rpc.BadRequest"


class MlpserveError(Exception):
    """A call failed; the subclass says why, `__cause__` holds what gRPC raised."""


class ModelNotFound(MlpserveError):
    """The server has no model of this name and version; the message lists those that it has."""


class Unauthenticated(MlpserveError):
    """The server doesn't know the token, or wants one and got none."""


class Unavailable(MlpserveError):
    """The server can't be reached or is not ready; trying again later may help."""


class DeadlineExceeded(MlpserveError):
    """The answer did not arrive within `timeout_seconds`."""


class Overloaded(MlpserveError):
    """The server has as many calls as it takes; trying again later may help."""


class InvalidResponse(MlpserveError):
    """The answer is not what mlpserve.v1 promises: client and server speak different languages."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request: which field, why, and a word for programs."""

    field: str
    description: str
    reason: str


class InvalidRequest(MlpserveError):
    """The server refused the request as it is; `violations` says what to mend, field by field."""

    def __init__(self, message: str, violations: tuple[Violation, ...] = ()) -> None:
        super().__init__(message)
        self.violations = violations


def from_rpc_error(error: grpc.RpcError, address: str) -> MlpserveError:
    """Return the error to raise from one that gRPC raised in a call to the address."""
    code, details = error.code(), error.details() or "no details"
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidRequest(details, _read_violations(error))
        case grpc.StatusCode.NOT_FOUND:
            return ModelNotFound(details)
        case grpc.StatusCode.UNAUTHENTICATED:
            return Unauthenticated(f"{address} refuses the call: {details}; give the client token=")
        case grpc.StatusCode.UNAVAILABLE:
            return Unavailable(f"{address} is unavailable: {details}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"{address} did not answer in time: {details}")
        # gRPC has one code for two things, and waiting mends only one of them.
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max_message_bytes" in details:
            return InvalidRequest(details)
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in details:
            return InvalidRequest(
                f"a message is too large: {details}; send fewer images in one call, or uint8 "
                "instead of floats"
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return Overloaded(f"{address} is overloaded: {details}")
        case _:
            return MlpserveError(f"{address} answered {code.name}: {details}")


def _read_violations(error: grpc.RpcError) -> tuple[Violation, ...]:
    """Read the google.rpc.BadRequest that google.rpc.Status carries in the trailing metadata.

    The field numbers are those of google/rpc/status.proto and error_details.proto.
    """
    metadata = error.trailing_metadata() or ()
    status = next((entry.value for entry in metadata if entry.key == _DETAILS_KEY), b"")
    try:
        details = wire.read_contents(wire.read_fields(status), 3)
        violations: list[Violation] = []
        for detail in map(wire.read_fields, details):
            if wire.read_text(detail, 1).endswith("/" + _BAD_REQUEST):
                for content in wire.read_contents(detail, 2):
                    violations += _read_bad_request(content)
    except wire.WireError:
        # The message alone still says what is wrong.
        return ()
    return tuple(violations)


def _read_bad_request(message: memoryview) -> list[Violation]:
    violations = map(wire.read_fields, wire.read_contents(wire.read_fields(message), 1))
    return [
        Violation(*(wire.read_text(fields, number) for number in (1, 2, 3)))
        for fields in violations
    ]
