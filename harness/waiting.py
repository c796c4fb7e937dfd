"""Waits for what happens some time later, however slow the machine is, and for threads."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 120.0


def wait_for(
    condition: Callable[[], bool],
    what: str = "it became so",
    *,
    pause_seconds: float = 0.01,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Return once it is so; fails when it has not become so for very long, which `what` names.

    The pause is between two looks: longer where one costs much.
    """
    end = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen that {what}"
        time.sleep(pause_seconds)


@contextlib.contextmanager
def running_threads(number: int, target: Callable[[], None]) -> Iterator[None]:
    """Run a function in so many threads, which the end of the block waits for."""
    threads = [threading.Thread(target=target) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
