"""Picks some of many: a share of all calls, or a number of lines each second."""

import math
import random
import threading
import time
from collections.abc import Callable


def calls_until_next(rate: float) -> float:
    """Return how many calls to count until the next sampled one (>= 1, infinity for the rate 0).

    The numbers have the geometric distribution, so that counting down to the next sample is the
    same as drawing for each call, and faster.
    """
    if rate <= 0:
        return math.inf
    if rate >= 1:
        return 1
    return 1 + math.floor(math.log1p(-random.random()) / math.log1p(-rate))  # noqa: S311


TELL_SECONDS = 1.0
"""How long after the first dropped line their number is reported."""


class RateLimit:
    """Allows some lines each second; `tell` is given the number of dropped ones."""

    def __init__(
        self, lines: int, tell: Callable[[int], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines, self._tell, self._clock = lines, tell, clock
        self._second = self._written = self._dropped = 0
        self._teller: threading.Timer | None = None
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Whether another line may be written now."""
        second = int(self._clock())
        with self._lock:
            if second != self._second:
                self._second, self._written = second, 0
            if self._written < self._lines:
                self._written += 1
                return True
            self._dropped += 1
            if self._teller is None:
                self._start_teller()
        return False

    def _start_teller(self) -> None:
        """Have the number reported soon; the caller holds the lock."""
        teller = threading.Timer(TELL_SECONDS, self.tell)
        teller.daemon = True
        try:
            teller.start()
        except (RuntimeError, MemoryError):
            # The system is out of threads; the next dropped line tries again.
            return
        self._teller = teller

    def tell(self) -> None:
        """Report how many lines were dropped since the last time, if any were."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            self._teller = None
        if dropped:
            self._tell(dropped)
