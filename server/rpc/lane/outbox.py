"""The answers that have been given to gRPC and not been read by their callers, on the lane and on
threads.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

LARGE_RESPONSE_BYTES = 64 * 1024
"""The bytes of answers larger than this are counted until their callers have read them."""


class Outbox:
    """What the answers of all calls share: the maximum for each and for large ones together that
    have not been read; `lost` holds the tags that the core did not take and so won't bring.
    """

    def __init__(self, max_bytes: int = 2**31 - 1, max_unread_bytes: int = 2**31 - 1) -> None:
        self.max_bytes, self._max_unread_bytes = max_bytes, max_unread_bytes
        self.unread_bytes = 0
        self.lost: deque[Callable[[Any], None]] = deque()
        self._lock = threading.Lock()

    def hold(self, size: int) -> bool:
        """Count the bytes of an answer about to be sent; returns whether there is room for it."""
        with self._lock:
            fits = not self.unread_bytes or self.unread_bytes + size <= self._max_unread_bytes
            self.unread_bytes += size if fits else 0
        return fits

    def release(self, size: int) -> None:
        """Note that an answer has left, or never will, whose bytes were counted."""
        with self._lock:
            self.unread_bytes -= size

    def on_large_sent(self, size: int, tag: Callable[[Any], None], event: Any) -> None:
        """Release an answer's bytes, and pass on the event that says that it has left."""
        self.release(size)
        tag(event)
