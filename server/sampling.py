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


class Bound:
    """Lets some lines of a kind through each second; `tell` is given the number of the others."""

    def __init__(self, lines: int, tell: Callable[[int], None]) -> None:
        self._lines, self._tell = lines, tell
        self._second = self._written = self._left_out = 0
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
            is_first = self._left_out == 1
        if is_first:
            teller = threading.Timer(1.0, self.tell)
            teller.daemon = True
            teller.start()
        return False

    def tell(self) -> None:
        """Tell how many were left out since the last time, if any were."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
        if left_out:
            self._tell(left_out)
