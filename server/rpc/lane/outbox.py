"""The answers that have been given to gRPC and not been read by their callers."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Outbox:
    """What the answers of all calls share: the maximum for each and for large ones together that
    have not been read; `lost` holds the tags that the core did not take and so won't bring.
    """

    def __init__(self, max_bytes: int, max_unread_bytes: int) -> None:
        self.max_bytes, self._max_unread_bytes = max_bytes, max_unread_bytes
        self.unread_bytes = 0
        self.lost: deque[Callable[[Any], None]] = deque()
        self._lock = threading.Lock()

    def hold(self, size: int) -> bool:
        """Count the bytes of an answer that is to be sent; returns whether there is room for it."""
        with self._lock:
            fits = not self.unread_bytes or self.unread_bytes + size <= self._max_unread_bytes
            self.unread_bytes += size if fits else 0
        return fits

    def on_large_sent(self, size: int, tag: Callable[[Any], None], event: Any) -> None:
        """Note that an answer has left whose bytes were counted."""
        with self._lock:
            self.unread_bytes -= size
        tag(event)
