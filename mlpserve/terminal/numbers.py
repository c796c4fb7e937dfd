"""Numbers as they are shown, here and on the page /watch: "-" for those that nobody knows.

server/http/static/watch/charts/format.js writes them in the same way.
"""

import math
from decimal import ROUND_HALF_UP, Decimal

_POWERS = ("B", "kB", "MB", "GB", "TB")


def format_count(count: float) -> str:
    """Return a whole number: "1,234"."""
    return "-" if math.isnan(count) else f"{count:,.0f}"


def format_number(number: float) -> str:
    """Return three digits, and all of those before the point."""
    if math.isnan(number):
        return "-"
    return f"{_round_half_up(number, 0):,}" if abs(number) >= 1000 else f"{number:.3g}"


def format_share(share: float) -> str:
    """Return a share of 1 as per cent with one decimal, and more near 0 and 100, which it is never
    rounded to.
    """
    if math.isnan(share):
        return "-"
    percent = 100 * share
    distance = min(abs(percent), abs(100 - percent))
    if not distance:
        return f"{percent:.0f}%"
    if distance < 1e-4:
        return "<0.0001%" if percent < 50 else ">99.9999%"
    if distance >= 1:
        return f"{_round_half_up(percent, 1)}%"
    return f"{float(_round_half_up(percent, 1 - math.floor(math.log10(distance)))):.8g}%"


def format_bytes(number: float) -> str:
    """Return bytes with three digits, by thousands: "134 MB"."""
    if math.isnan(number):
        return "-"
    rounded = float(f"{number:.3g}")
    power = min(len(_POWERS) - 1, max(0, math.floor(math.log10(abs(rounded) or 1) / 3)))
    return f"{rounded / 1000**power:.3g} {_POWERS[power]}"


def _round_half_up(number: float, digits: int) -> Decimal:
    """Round as browsers do, which take the larger of two that are equally near."""
    return Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
