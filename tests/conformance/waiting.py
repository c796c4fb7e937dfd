"""Looks again until a server has come so far, which it may do after its answer."""

import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_SECONDS = 0.02

Found = TypeVar("Found")


def look_until(
    look: Callable[[], Found], is_enough: Callable[[Found], bool], seconds: float
) -> Found:
    """Return what was found last: that which is enough, or what there is after some time."""
    end = time.monotonic() + seconds
    while not is_enough(found := look()) and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
    return found
