"""W3C Trace Context: a trace's id, and whether it is sampled."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

_TRACEPARENT = re.compile(
    # Version ff and ids of zeros alone are invalid; later versions may have more fields.
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)
_MAX_LENGTH = 512
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Parent:
    """The trace that a call belongs to, as 32 hexadecimal digits, and whether it is sampled."""

    trace_id: str
    is_sampled: bool


def read(traceparent: str) -> Parent | None:
    """Parse a traceparent; returns None when it is invalid or empty."""
    match = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= _MAX_LENGTH else None
    if match is None or (match[1] == "00" and match[4]):
        return None
    return Parent(match[2], bool(int(match[3], 16) & _SAMPLED))


def write(context: "SpanContext") -> str:
    """Return a span as a traceparent."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
