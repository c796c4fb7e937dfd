"""W3C Trace Context, as far as it takes to know a trace's name and whether it is recorded."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

_TRACEPARENT = re.compile(
    # Version ff and names of zeros alone are invalid; later versions may go on with more fields.
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)
_LONGEST = 512
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Parent:
    """The trace that a call belongs to, as 32 hexadecimal digits, and whether it is recorded."""

    trace_id: str
    is_sampled: bool


def read(traceparent: str) -> Parent | None:
    """Return what a traceparent says; None when it is invalid or empty."""
    found = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= _LONGEST else None
    if found is None or (found[1] == "00" and found[4]):
        return None
    return Parent(found[2], bool(int(found[3], 16) & _SAMPLED))


def write(context: "SpanContext") -> str:
    """Return a span's name in the same form."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
