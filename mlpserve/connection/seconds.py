"""How long a call may take."""

import contextlib
import math
from numbers import Real

MAX_SECONDS = 365 * 24 * 3600
"""How long anything may take. Far more overflows in gRPC, and is over at once."""


def check_seconds(name: str, seconds: object, min_seconds: float = 0.0) -> float:
    """Return how long something may take, as a float.

    Raises TypeError when it is not a number, and ValueError unless it is above 0, at least
    `min_seconds` and at most `MAX_SECONDS`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise TypeError(f"{name} is {seconds!r:.100}; give seconds as a number, such as 10.0")
    value = math.inf
    # An int may be too large for a float.
    with contextlib.suppress(OverflowError):
        value = float(seconds)
    # NaN fails each comparison.
    if 0 < value <= MAX_SECONDS and value >= min_seconds:
        return value
    least = f"from {min_seconds:g}" if min_seconds else "above 0 and"
    raise ValueError(
        f"{name} is {seconds!s:.20}; give seconds {least} up to {MAX_SECONDS}, which is a year"
    )
