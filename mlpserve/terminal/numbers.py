"""Numbers as they are shown, here and on the page /watch: "-" for those that nobody knows."""

import math
from decimal import ROUND_HALF_UP, Decimal


def format_number(number: float, digits: int = 0) -> str:
    """Return a number with so many decimals and commas between thousands: "1,234.5".

    What lies in the middle is rounded up, as browsers do.
    """
    if math.isnan(number):
        return "-"
    return f"{Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,}"


def format_share(share: float, digits: int = 0) -> str:
    """Return a share, such as 0.5, in percent; what is little is not nothing: "<1%"."""
    percent, least = 100 * share, Decimal(1).scaleb(-digits)
    if 0 < percent < least / 2:
        return f"<{least}%"
    return "-" if math.isnan(share) else f"{format_number(percent, digits)}%"


def format_megabytes(number: float) -> str:
    """Return a number of bytes in millions: "12 MB"."""
    return "-" if math.isnan(number) else f"{format_number(number / 1e6)} MB"
