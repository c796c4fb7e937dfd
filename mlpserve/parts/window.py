"""How much may be in flight at once."""

from collections import deque


class Window:
    """Counts what was sent and is not answered yet, and its bytes; the oldest is answered first.

    There is room while both are below their limits, so that at most one thing goes beyond that of
    the bytes, however large it is.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count, self._max_bytes = max_count, max_bytes
        self._sizes: deque[int] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many are on their way."""
        return len(self._sizes)

    @property
    def has_room(self) -> bool:
        """Whether another may be sent."""
        return len(self._sizes) < self._max_count and self._bytes < self._max_bytes

    def send(self, n_bytes: int) -> None:
        """Count one more."""
        self._sizes.append(n_bytes)
        self._bytes += n_bytes

    def answer(self) -> None:
        """Stop counting the oldest."""
        self._bytes -= self._sizes.popleft()
