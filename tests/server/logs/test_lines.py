"""Whatever a field holds: a line comes of it, of bounded length, JSON where that is wanted."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.logs.lines import MAX_LINE_BYTES, Lines

JSON = Lines({"worker": 3}, console=False, colors=False)
CONSOLE = Lines({"worker": 3}, console=True, colors=False)


class Rude:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise ValueError("no")

    __str__ = __repr__


class RudeText(str):
    """A text with methods that fail."""

    __slots__ = ()

    def __len__(self) -> int:
        raise ValueError("no")

    def __str__(self) -> str:
        raise ValueError("no")


class RudeError(Exception):
    """An error that can't be described."""

    def __str__(self) -> str:
        raise ValueError("no")

    @property
    def __notes__(self) -> Iterator[str]:  # type: ignore[override]
        raise ValueError("no")


class LongText:
    """An object with a long description."""

    def __repr__(self) -> str:
        return "x" * 10_000_000


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


ODD: dict[str, object] = {
    "rude": Rude(),
    "rude text": RudeText("text"),
    "in a list": [Rude(), {"key": Rude()}],
    "endless": endless(),
    "deep": nested(100_000),
    "surrogate": "caf\udce9",
    "path": Path("caf\udce9"),
    "bytes": b"\xff\x00",
    "long": "x" * 10_000_000,
    "long characters": "\u4e2d" * 10_000,
    "long bytes": b"x" * 10_000_000,
    "long object": LongText(),
    "many": ["x" * 100] * 1_000_000,
    "many keys": {str(number): number for number in range(100_000)},
    "keys of any kind": {1: 2, None: 3, (1, 2): 4, Rude: 5},
    "a rude key": {Rude(): 1},
    "not a number": float("nan"),
    "infinite": [float("inf"), -float("inf")],
    "large": 10**5000,
    "type": Rude,
    "control characters": "a\nb\r\x1b[31m\x00",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values(name: str) -> None:
    event = {"event": "happened", "odd": ODD[name], "plain": 1}
    line = JSON.make("info", dict(event))
    assert len(line) <= MAX_LINE_BYTES
    assert line.count(b"\n") == 1
    found = json.loads(line, parse_constant=lambda constant: pytest.fail(constant))
    assert found.keys() == {"event", "odd", "plain", "worker", "level", "timestamp"}
    assert (found["event"], found["plain"], found["worker"]) == ("happened", 1, 3)
    line = CONSOLE.make("info", dict(event))
    assert b"happened" in line
    assert line.endswith(b"\n")
    assert len(line) <= MAX_LINE_BYTES


def test_odd_events() -> None:
    for odd in ODD.values():
        assert json.loads(JSON.make("info", {"event": odd}))["worker"] == 3
        assert CONSOLE.make("info", {"event": odd}).endswith(b"\n")


def test_many_fields_leave_room_for_what_happened() -> None:
    event = {"event": "happened"} | {f"field {number}": "x" * 300 for number in range(1000)}
    for lines in (JSON, CONSOLE):
        line = lines.make("warning", dict(event))
        assert len(line) <= MAX_LINE_BYTES
        assert b"happened" in line
    found = json.loads(JSON.make("warning", dict(event)))
    assert (found["event"], found["level"], found["worker"]) == ("happened", "warning", 3)


def raised(make: Callable[[], Exception]) -> dict[str, Any]:
    try:
        raise make()
    except Exception:  # noqa: BLE001  # of any kind
        return {"event": "failed", "exc_info": sys.exc_info()}


def deep() -> None:
    deep()


def chained() -> Exception:
    error: Exception = ValueError("first")
    for number in range(200):
        try:
            raise RuntimeError(f"number {number}") from error
        except RuntimeError as found:
            error = found
    return error


def looped() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    for error in (first, second):
        try:
            raise error
        except ValueError:
            pass
    first.__cause__, second.__cause__ = second, first
    return first


ERRORS: dict[str, Callable[[], Exception]] = {
    "rude": RudeError,
    "long": lambda: ValueError("x" * 10_000_000),
    "surrogate": lambda: ValueError("caf\udce9"),
    "chained": chained,
    "looped": looped,
    "group": lambda: ExceptionGroup("of many", [ValueError("x" * 1000)] * 1000),
    "text": lambda: UnicodeDecodeError("utf-8", b"\xff" * 10_000, 0, 1, "odd"),
    "syntax": lambda: SyntaxError("odd", ("file", None, None, None)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_odd_errors(name: str) -> None:
    line = JSON.make("error", raised(ERRORS[name]))
    assert len(line) <= MAX_LINE_BYTES
    found = json.loads(line)
    assert found["exception"][0]["exc_type"]
    line = CONSOLE.make("error", raised(ERRORS[name]))
    assert len(line) <= MAX_LINE_BYTES
    assert b"failed" in line


def test_an_error_of_a_thousand_frames() -> None:
    try:
        deep()
    except RecursionError:
        event = {"event": "failed", "exc_info": True}
        for lines in (JSON, CONSOLE):
            line = lines.make("error", dict(event))
            assert len(line) <= MAX_LINE_BYTES
            assert b"RecursionError" in line


@pytest.mark.parametrize("exc_info", [True, (None, None, None), 1, "odd", object()])
def test_exc_info_without_an_error(exc_info: object) -> None:
    for lines in (JSON, CONSOLE):
        line = lines.make("error", {"event": "failed", "exc_info": exc_info})
        assert b"failed" in line
