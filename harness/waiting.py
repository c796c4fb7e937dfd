"""Waits for what happens some time later."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once it is so, within a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.01)
