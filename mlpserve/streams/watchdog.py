"""Ends what takes too long, from a thread of its own."""

import threading
import time
from collections.abc import Callable


class Watchdog:
    """Calls `bite` once something has been awaited for longer than `seconds`.

    Watching costs nothing each time: the thread looks when a wait that began just after it looked
    last would be over.
    """

    def __init__(self, seconds: float, bite: Callable[[], object]) -> None:
        self._seconds, self._bite = seconds, bite
        self._end: float | None = None
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mlpserve-stream", daemon=True)
        self.has_bitten = False

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def begin(self) -> None:
        """Something is awaited from now on."""
        self._end = time.monotonic() + self._seconds

    def end(self) -> None:
        """Nothing is awaited any longer."""
        self._end = None

    def close(self) -> None:
        """Stop watching, and wait for the thread to end."""
        self._is_closed.set()
        self._thread.join()

    def _watch(self) -> None:
        seconds = self._seconds
        while not self._is_closed.wait(seconds):
            end = self._end
            seconds = self._seconds if end is None else end - time.monotonic()
            if seconds <= 0:
                self.has_bitten = True
                self._bite()
                return
