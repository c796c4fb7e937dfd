"""What google.rpc.Status carries beside code and words, which tells programs what went wrong.

The field numbers are those of google/rpc/status.proto and google/rpc/error_details.proto.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlpserve.protocol import wire

KEY = "grpc-status-details-bin"
"""The trailing metadata in which gRPC sends a serialized google.rpc.Status."""

_NANOSECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Details:
    """What a status says for programs; what it doesn't say is empty or None.

    `reason` and `metadata` are those of ErrorInfo, `retry_after_seconds` is RetryInfo's delay, and
    each of `violations` is a field, a description and a reason of BadRequest.
    """

    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_seconds: float | None = None
    violations: tuple[tuple[str, str, str], ...] = ()


NO_DETAILS = Details()


def read_details(status: bytes) -> Details:
    """Return the details of a serialized google.rpc.Status, none when it can't be read: code and
    words alone then say what is wrong.
    """
    try:
        found = dict(map(_read_any, wire.read_contents(wire.read_fields(status), 3)))
        info = found.get("google.rpc.ErrorInfo", ())
        retry = found.get("google.rpc.RetryInfo")
        bad_request = found.get("google.rpc.BadRequest", ())
        return Details(
            wire.read_text(info, 1),
            dict(_read_pair(entry) for entry in wire.read_contents(info, 3)),
            None if retry is None else _read_delay(retry),
            tuple(_read_violation(content) for content in wire.read_contents(bad_request, 1)),
        )
    except wire.WireError:
        return NO_DETAILS


def _read_any(message: memoryview) -> tuple[str, Sequence[wire.Field]]:
    """Return the name and the fields of the message that a google.protobuf.Any holds."""
    fields = wire.read_fields(message)
    contents = wire.read_contents(fields, 2)
    name = wire.read_text(fields, 1).rpartition("/")[2]
    return name, wire.read_fields(contents[-1]) if contents else ()


def _read_pair(message: memoryview) -> tuple[str, str]:
    fields = wire.read_fields(message)
    return wire.read_text(fields, 1), wire.read_text(fields, 2)


def _read_delay(fields: Sequence[wire.Field]) -> float:
    seconds = 0.0
    for content in wire.read_contents(fields, 1):
        duration = wire.read_fields(content)
        seconds = wire.read_integer(duration, 1) + _NANOSECONDS * wire.read_integer(duration, 2)
    return seconds


def _read_violation(message: memoryview) -> tuple[str, str, str]:
    fields = wire.read_fields(message)
    return wire.read_text(fields, 1), wire.read_text(fields, 2), wire.read_text(fields, 3)
