"""Waits for what happens some time later, however slow the machine is."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120.0


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once it is so; fails when it has not become so for very long."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.01)
