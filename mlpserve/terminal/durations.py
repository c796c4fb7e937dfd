"""Durations as people write and read them: 250us, 5ms, 1.5s."""

import math
import re
from collections.abc import Callable

import click

from mlpserve.connection.seconds import check_seconds

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([^\W\d]*)\s*")


def parse_duration(text: str, min_seconds: float = 0.0) -> float:
    """Return the seconds of a number with its unit, such as 5ms.

    Raises ValueError unless they are above 0, at least `min_seconds` and at most a year.
    """
    match = _DURATION.fullmatch(text)
    # Both the micro sign and the Greek letter are typed.
    unit = match[2].replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}") if match else ""
    if match is None or (unit and unit not in _UNITS):
        raise ValueError(
            f"{text!r:.40} is not a duration; give a number with us, ms, s, m or h, such as 5ms"
        )
    if not unit:
        raise ValueError(f"{text!r:.40} has no unit; give one, such as {text.strip():.40}ms")
    return check_seconds("the time", float(match[1]) * _UNITS[unit], min_seconds)


def format_duration(seconds: float) -> str:
    """Return a duration with three digits and its unit; "-" for nan."""
    if math.isnan(seconds):
        return "-"
    # Rounded first: 999.9 us is 1 ms.
    rounded = float(f"{seconds:.3g}")
    name = next((unit for unit in ("s", "ms") if abs(rounded) >= _UNITS[unit]), "us")
    value = rounded / _UNITS[name]
    return f"{value:.0f} {name}" if abs(value) >= 100 else f"{value:.3g} {name}"


def duration_option(min_seconds: float = 0.0) -> Callable[[str], float]:
    """Return the type of an option that is a duration, as float seconds."""

    def duration(text: str) -> float:
        try:
            return parse_duration(text, min_seconds)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return duration
