"""Formats an event as a line of limited length, whatever its fields contain.

Tracebacks don't show the values of variables, because these may be pixels.
"""

import json
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import structlog

MAX_LINE_BYTES = 16 * 1024

MAX_FRAMES, MAX_ERRORS = 16, 6
"""Frames of a traceback, and errors of a chain, that are written."""

MAX_DEPTH = 8
MAX_BITS = 1024
"""Larger integers are not written: converting them is slow, and refused by Python at some size."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a field: characters of a string, items of a list."""

    characters: int
    items: int


USUAL, NARROW = Bounds(4096, 64), Bounds(256, 8)
"""For every line, and for lines that are still too long."""


class Lines:
    """Makes lines, as JSON or, with `console`, for a terminal; each has the fields of `context`."""

    def __init__(self, context: Mapping[str, object], *, console: bool, colors: bool) -> None:
        self._context = context
        self._describe = structlog.processors.ExceptionRenderer(_describe_error)
        self._console: structlog.dev.ConsoleRenderer | None = None
        if console:
            self._console = structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=_write_traceback
            )

    def make(self, level: str, event: Event) -> bytes:
        """Return the line of an event, with its line end; never raises.

        The fields may include `exc_info`, as in logging.
        """
        try:
            event |= self._context
            event["level"] = level
            event["timestamp"] = (
                datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="microseconds")[:-6]
                + "Z"
            )
            line = self._write(level, event, USUAL)
            return line if len(line) <= MAX_LINE_BYTES else self._write(level, event, NARROW)
        except Exception as error:
            return self._excuse(level, event, error)

    def _write(self, level: str, event: Event, bounds: Bounds) -> bytes:
        if self._console is not None:
            plain = {
                key: value if key == "exc_info" else bounded(value, bounds)
                for key, value in event.items()
            }
            text = str(self._console(None, level, plain))
        else:
            if "exc_info" in event:
                event = dict(self._describe(None, level, dict(event)))
            text = json.dumps({key: bounded(value, bounds) for key, value in event.items()})
        line = text.encode(errors="backslashreplace")
        if bounds is NARROW and len(line) > MAX_LINE_BYTES:
            raise ValueError(f"{len(line)} bytes")
        return line + b"\n"

    def _excuse(self, level: str, event: Event, error: Exception) -> bytes:
        """Return a line with the event but without its fields."""
        try:
            fields = {
                "event": bounded(event.get("event"), NARROW),
                "left_out": f"the other fields could not be written ({type(error).__name__})",
                **{key: bounded(value, NARROW) for key, value in self._context.items()},
                "level": level,
            }
            text = json.dumps(fields) if self._console is None else repr(fields)
            return text.encode(errors="backslashreplace") + b"\n"
        except Exception:
            return b'{"event": "a line of the log could not be written", "level": "error"}\n'


def bounded(value: object, bounds: Bounds, depth: int = 0) -> Any:
    """Return a value as JSON's types, cut to limits; never raises.

    Values of other types become strings.
    """
    kind = type(value)
    if kind is str:
        return _cut(value, bounds)  # type: ignore[arg-type]  # mypy does not follow `kind`
    if value is None or kind is bool:
        return value
    try:
        if kind is int:
            bits = int.bit_length(value)  # type: ignore[arg-type]
            return value if bits <= MAX_BITS else f"an integer of {bits} bits"
        if kind is float:
            return value if math.isfinite(value) else str(value)  # type: ignore[arg-type]
        if depth < MAX_DEPTH:
            if isinstance(value, Mapping):
                pairs = [
                    (_cut(str(key), bounds), bounded(item, bounds, depth + 1))
                    for key, item, _ in zip(
                        value, value.values(), range(bounds.items), strict=False
                    )
                ]
                left_out = len(value) - len(pairs)
                return dict(pairs) | ({"left_out": left_out} if left_out else {})
            if isinstance(value, (list, tuple, AbstractSet)):
                items = [
                    bounded(item, bounds, depth + 1)
                    for item, _ in zip(value, range(bounds.items), strict=False)
                ]
                left_out = len(value) - len(items)
                return items + ([f"{left_out} left out"] if left_out else [])
        return _cut(str(value) if isinstance(value, str) else repr(value), bounds)
    except Exception:
        return f"<{kind.__name__}>"


def _cut(text: str, bounds: Bounds) -> str:
    if len(text) <= bounds.characters:
        return text
    # The end often says why.
    half = bounds.characters // 2
    return f"{text[:half]} ({len(text) - 2 * half} characters left out) {text[-half:]}"


_transform = structlog.tracebacks.ExceptionDictTransformer(
    show_locals=False, max_frames=MAX_FRAMES, use_rich=False
)


def _describe_error(exc_info: Any) -> Sequence[object]:
    """Return an error and its causes, each with where it was raised."""
    try:
        return _transform(exc_info)[:MAX_ERRORS]
    except Exception:
        # Errors may have attributes of any kind.
        return [{"exc_type": bounded(exc_info[0], NARROW), "exc_value": bounded(exc_info, NARROW)}]


def _write_traceback(out: IO[str], exc_info: Any) -> None:
    """Write an error as Python does."""
    lines = traceback.format_exception(*exc_info, limit=-MAX_FRAMES)
    out.write(_cut("".join(lines).rstrip("\n"), USUAL))
