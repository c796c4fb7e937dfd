"""What can go wrong with a call, as small named classes with the server's own words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from mlpserve.protocol import wire

_DETAILS_KEY = "grpc-status-details-bin"
_BAD_REQUEST = "google.rpc.BadRequest"
_ERROR_INFO = "google.rpc.ErrorInfo"
_SIZE_REASONS = {"MESSAGE_BYTES", "ANSWER_BYTES"}
_ASK_FOR_LESS = "ask for less in one call, or "
_TOO_LARGE = re.compile(
    r"(CLIENT|SERVER): (Sent|Received) message larger than max \((\d+) vs\. (\d+)\)"
)


class MlpserveError(Exception):
    """A call failed; the subclass says why, `__cause__` holds what gRPC raised, and `request_id` is
    the id that the caller gave the call, if any.
    """

    request_id: str | None = None


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


class ScaleWarning(UserWarning):
    """Images can be sent, but their pixels hardly mean what they say: nearly black, all of them."""


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


@dataclass(frozen=True, slots=True)
class Less:
    """How a caller makes a call's request and its answer smaller, each with a final "or "."""

    request: str = ""
    answer: str = ""


FEWER_IMAGES = Less(
    "send fewer images in one call, or floats as uint8, or ",
    "send fewer images in one call, or ask for no hidden activations, or ",
)


def from_rpc_error(error: grpc.RpcError, address: str, less: Less) -> MlpserveError:
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
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            # gRPC has one code for two things, and waiting mends only one of them.
            if (explained := _explain_size(error, details, less)) is not None:
                return InvalidRequest(explained)
            return Overloaded(f"{address} is overloaded: {details}")
        case _:
            return MlpserveError(f"{address} answered {code.name}: {details}")


def _explain_size(error: grpc.RpcError, details: str, less: Less) -> str | None:
    """Return which message is too large and what to do about it; None when none is."""
    if found := _TOO_LARGE.search(details):
        return _explain_limit(found, less)
    reasons = {wire.read_text(fields, 1) for fields in _details(error, _ERROR_INFO)}
    if "ANSWER_BYTES" in reasons and not less.answer:
        return (
            f"{details.replace(_ASK_FOR_LESS, '')}, and where the answer is larger than this "
            "client takes, give Client options={'grpc.max_receive_message_length': BYTES}"
        )
    is_size = reasons & _SIZE_REASONS or "larger than max_message_bytes" in details
    return details if is_size else None


def _explain_limit(found: re.Match[str], less: Less) -> str:
    """Return what to do about a message that gRPC itself refuses on one side."""
    side, did, size, limit = found.groups()
    is_client, is_received = side == "CLIENT", did == "Received"
    what, smaller = (
        ("answer", less.answer) if is_client == is_received else ("request", less.request)
    )
    verb, direction = ("takes", "receive") if is_received else ("sends", "send")
    whose, remedy = "the server", "raise the server's --max-message-bytes"
    if is_client:
        whose = "this client"
        remedy = f"give Client options={{'grpc.max_{direction}_message_length': {size}}}"
    return f"the {what} has {size} bytes, and {whose} {verb} at most {limit}; {smaller}{remedy}"


def _read_violations(error: grpc.RpcError) -> tuple[Violation, ...]:
    """Return what google.rpc.BadRequest says in a status."""
    violations: list[Violation] = []
    try:
        for fields in _details(error, _BAD_REQUEST):
            for content in wire.read_contents(fields, 1):
                violation = wire.read_fields(content)
                violations.append(
                    Violation(*(wire.read_text(violation, number) for number in (1, 2, 3)))
                )
    except wire.WireError:
        # The message alone still says what is wrong.
        return ()
    return tuple(violations)


def read_error_info(error: grpc.RpcError) -> dict[str, str]:
    """Return what google.rpc.ErrorInfo tells programs in a status; nothing if none is readable."""
    try:
        return {
            wire.read_text(entry, 1): wire.read_text(entry, 2)
            for fields in _details(error, _ERROR_INFO)
            for entry in map(wire.read_fields, wire.read_contents(fields, 3))
        }
    except wire.WireError:
        return {}


def _details(error: grpc.RpcError, name: str) -> Sequence[Sequence[wire.Field]]:
    """Return the fields of each message of a type that google.rpc.Status carries in the trailing
    metadata; none if that can't be read.

    The field numbers are those of google/rpc/status.proto and error_details.proto.
    """
    metadata: Any = error.trailing_metadata() or ()
    status = next((value for key, value in metadata if key == _DETAILS_KEY), b"")
    try:
        details = map(wire.read_fields, wire.read_contents(wire.read_fields(status), 3))
        return [
            wire.read_fields(content)
            for detail in details
            if wire.read_text(detail, 1).endswith(f"/{name}")
            for content in wire.read_contents(detail, 2)
        ]
    except wire.WireError:
        return ()
