"""Picks few of many: a share of all calls, or a number of lines in each second."""

import math
import random
import threading
import time
from collections.abc import Callable


def gap(rate: float) -> float:
    """Return how many calls from now on the next of a share of them is, which is at least 1.

    To count down to it is faster than to draw lots for each call, and comes to the same: these
    numbers have the geometric distribution. The share 0 gives infinity.
    """
    if rate <= 0:
        return math.inf
    if rate >= 1:
        return 1
    return 1 + math.floor(math.log1p(-random.random()) / math.log1p(-rate))  # noqa: S311


TELL_SECONDS = 1.0
"""How long after the first line that is left out their number is told."""


class Bound:
    """Lets some lines of a kind through each second; `tell` is given the number of the others."""

    def __init__(self, lines: int, tell: Callable[[int], None]) -> None:
        self._lines, self._tell = lines, tell
        self._second = self._written = self._left_out = 0
        self._teller: threading.Timer | None = None
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Whether another line may be written now."""
        second = int(time.monotonic())
        with self._lock:
            if second != self._second:
                self._second, self._written = second, 0
            if self._written < self._lines:
                self._written += 1
                return True
            self._left_out += 1
            if self._teller is None:
                self._start_teller()
        return False

    def _start_teller(self) -> None:
        """See to it that somebody tells; for who holds the lock."""
        teller = threading.Timer(TELL_SECONDS, self.tell)
        teller.daemon = True
        try:
            teller.start()
        except (RuntimeError, MemoryError):
            # The system gives no thread; the next line that is left out tries again.
            return
        self._teller = teller

    def tell(self) -> None:
        """Tell how many were left out since the last time, if any were."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
            self._teller = None
        if left_out:
            self._tell(left_out)
