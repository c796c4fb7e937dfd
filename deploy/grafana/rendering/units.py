"""Values as Grafana writes them, by its names of units."""

import math

_STEPS = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "d")),
    "bytes": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB")),
    "short": ((1.0, ""), (1e3, "K"), (1e6, "M")),
    "reqps": ((1.0, "/s"), (1e3, "K/s"), (1e6, "M/s")),
}


def format_value(value: float, unit: str) -> str:
    """Return a value with three digits and its unit; raises KeyError for units never used here."""
    if math.isinf(value):
        return "∞"
    if unit == "percentunit":
        return f"{_round(100 * value)}%"
    size, name = _step(value, unit)
    rounded = _round(value / size)
    return f"{rounded} {name}" if name and name[0] != "/" else f"{rounded}{name}"


def scale(value: float, unit: str) -> float:
    """Return what of the unit a value is counted in: 60 for minutes, 1024 for kibibytes."""
    return 0.01 if unit == "percentunit" else _step(value, unit)[0]


def _step(value: float, unit: str) -> tuple[float, str]:
    steps = _STEPS[unit]
    if not value and unit == "s":
        return 1.0, "s"
    return next((step for step in reversed(steps) if abs(value) >= step[0]), steps[0])


def _round(value: float) -> str:
    """Return three digits that count, and no zeros after them."""
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{min(digits, 4)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
