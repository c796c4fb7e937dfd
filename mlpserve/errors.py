"""What can go wrong with a call, as small named classes with the server's own words.

Which class it is depends on the status code and on google.rpc.ErrorInfo, which a server sends with
each refusal, and never on words. What gRPC itself refuses has no such details.
"""

import copy
import re
from dataclasses import dataclass
from typing import Any

import grpc

from mlpserve import remedies
from mlpserve.protocol import wire
from mlpserve.protocol.details import KEY, NO_DETAILS, Details, read_details
from mlpserve.remedies import Remedy

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_SIZE_REASONS = ("MESSAGE_BYTES", "ANSWER_BYTES")
# What gRPC says of a message, with numbers that are worth repeating.
_SIZES = re.compile(
    r"(CLIENT|SERVER): (Sent|Received) message larger than max \((\d+) vs\. (\d+)\)"
)


class MlpserveError(Exception):
    """A call failed; the subclass says why, `__cause__` holds what gRPC raised, and `request_id` is
    the id that the caller gave the call, if any. The message ends with the `remedy`, if there is
    one.
    """

    request_id: str | None = None
    remedy: Remedy | None = None

    def __str__(self) -> str:
        words = super().__str__()
        return words if self.remedy is None else f"{words}; {self.remedy.python}"


class ModelNotFound(MlpserveError):
    """The server has no model of this name and version; the message lists those that it has."""


class Unauthenticated(MlpserveError):
    """The server doesn't know the token, or wants one and got none."""


class Unavailable(MlpserveError):
    """The server can't be reached or is not ready; trying again later may help. `address` is where
    it was to be.
    """

    address: str = ""


class DeadlineExceeded(MlpserveError):
    """The answer did not arrive within `timeout_seconds`."""


class Overloaded(MlpserveError):
    """The server has as many calls as it takes; trying again in `retry_after_seconds` may help,
    which is None when the server doesn't say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ForkedProcess(MlpserveError):
    """gRPC can't work in this process, which was forked while its parent used gRPC; the message
    says why and what to do.
    """


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


class TooLarge(InvalidRequest):
    """The request, or what would answer it, is larger than client or server take at once."""


@dataclass(frozen=True, slots=True)
class Less:
    """How a caller makes a call's request and its answer smaller, each with a final "or "."""

    request: str = ""
    answer: str = ""


FEWER_IMAGES = Less(
    "send fewer images in one call, or floats as uint8, or ",
    "send fewer images in one call, or ask for no hidden activations, or ",
)


def unanswered(address: str) -> MlpserveError:
    """Return the error of a call that its own client has ended."""
    return MlpserveError(f"{address} did not answer before the client was closed")


def placed(error: MlpserveError, place: str) -> MlpserveError:
    """Return the same error, whose message begins with what it is about."""
    placed = copy.copy(error)
    placed.args = (f"{place}: {error.args[0]}",)
    placed.__cause__ = error.__cause__
    return placed


def in_command(error: Exception) -> str:
    """Return an error's message with the remedy in the terms of the command `mlpserve`."""
    remedy = error.remedy if isinstance(error, MlpserveError) else None
    return str(error) if remedy is None else f"{error.args[0]}; {remedy.command}"


def refuse_to_send(size: int, limit: int, less: Less) -> TooLarge:
    """Return the error for a request that this client doesn't send."""
    return TooLarge(_explain_limit("CLIENT", "Sent", str(size), str(limit), less))


def from_rpc_error(error: grpc.RpcError, address: str, less: Less) -> MlpserveError:
    """Return the error to raise from one that gRPC raised in a call to the address."""
    return _from_status(error.code(), error.details(), details_of(error), address, less)


def details_of(error: grpc.RpcError) -> Details:
    """Return what a server tells programs of an error that gRPC raised."""
    metadata: Any = error.trailing_metadata() or ()
    return next((read_details(value) for key, value in metadata if key == KEY), NO_DETAILS)


def from_status(status: bytes, address: str, less: Less) -> MlpserveError:
    """Return the error that a google.rpc.Status stands for, which a call to the address brought."""
    try:
        fields = wire.read_fields(status)
        code, message = wire.read_integer(fields, 1), wire.read_text(fields, 2)
    except wire.WireError as error:
        return InvalidResponse(f"the answer is not a valid google.rpc.Status: {error}")
    kind = _CODES.get(code, grpc.StatusCode.UNKNOWN)
    return _from_status(kind, message, read_details(status), address, less)


def _from_status(
    code: grpc.StatusCode, message: str | None, details: Details, address: str, less: Less
) -> MlpserveError:
    words = message or "no details"
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidRequest(words, tuple(Violation(*each) for each in details.violations))
        case grpc.StatusCode.NOT_FOUND:
            return ModelNotFound(words)
        case grpc.StatusCode.UNAUTHENTICATED:
            return _unauthenticated(address, words, details.reason)
        case grpc.StatusCode.UNAVAILABLE:
            error = Unavailable(f"{address} is unavailable: {words}")
            error.address = address
            # A server that can be reached says why in its details.
            error.remedy = None if details.reason else remedies.reach(address, words)
            return error
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return late(f"{address} did not answer in time: {words}")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return _exhausted(address, words, details, less)
        case _:
            return MlpserveError(f"{address} answered {code.name}: {words}")


def late(words: str) -> DeadlineExceeded:
    """Return the error for an answer that did not arrive in time."""
    error = DeadlineExceeded(words)
    error.remedy = remedies.MORE_TIME
    return error


def _unauthenticated(address: str, words: str, reason: str) -> Unauthenticated:
    """Return the error without the server's words where they are for all kinds of callers."""
    known = {
        "NO_TOKEN": ("it has no bearer token", remedies.NO_TOKEN),
        "UNKNOWN_TOKEN": ("the server doesn't know its token", remedies.UNKNOWN_TOKEN),
    }
    why, remedy = known.get(reason, (words, remedies.NO_TOKEN))
    error = Unauthenticated(f"{address} refuses the call: {why}")
    error.remedy = remedy
    return error


def _exhausted(address: str, words: str, details: Details, less: Less) -> MlpserveError:
    """Return whether a call has too many bytes, or the server too many calls: gRPC has one code for
    both, and waiting mends only the second.

    A server that has too many calls says why or when to come back, older ones the second alone;
    with neither gRPC itself has refused a message.
    """
    if details.reason in _SIZE_REASONS:
        return TooLarge(_explain_refusal(details, less) or words)
    if details.reason or details.retry_after_seconds is not None:
        return Overloaded(f"{address} is overloaded: {words}", details.retry_after_seconds)
    if found := _SIZES.search(words):
        side, did, size, limit = found.groups()
        return TooLarge(_explain_limit(side, did, size, limit, less))
    return TooLarge(f"the request or its answer is too large for {address}: {words}")


def _explain_refusal(details: Details, less: Less) -> str:
    """Return what to do about a message that the server refuses or does not send; empty when it
    doesn't say how large it is.
    """
    size, limit = details.metadata.get("bytes"), details.metadata.get("max_bytes")
    if not size or not limit:
        return ""
    remedy = "raise the server's --max-message-bytes"
    if details.reason == "MESSAGE_BYTES":
        remedy = f"takes at most {limit}; {less.request}{remedy}"
        return f"the request has {size} bytes, and the server {remedy}"
    if not less.answer:
        remedy += (
            ", and where the answer is larger than this client takes, give Client "
            "options={'grpc.max_receive_message_length': BYTES}"
        )
    remedy = f"sends at most {limit}; {less.answer}{remedy}"
    return f"the answer has up to {size} bytes, and the server {remedy}"


def _explain_limit(side: str, did: str, size: str, limit: str, less: Less) -> str:
    """Return what to do about a message that gRPC itself refuses on one side."""
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
