"""The header Server-Timing: how long each part of an answer took, and the worker's part of it."""

import time
from collections.abc import Iterable

from starlette.requests import Request

from mlpserve.timing import ASKING, read_timing
from server.telemetry.record import SERVER_TIMING, write_timing


class Timing:
    """How long each part of an answer took; `is_asked` is whether the worker is to tell too."""

    def __init__(self, request: Request) -> None:
        name, value = ASKING
        self.is_asked = request.headers.get(name) == value
        self._first = self._begin = time.perf_counter()
        self._parts: list[tuple[str, float]] = []
        self._told: list[tuple[str, float]] = []

    def note(self, name: str) -> None:
        """Note that a part has ended, and the next begins."""
        end = time.perf_counter()
        self._parts.append((name, end - self._begin))
        self._begin = end

    def tell(self, metadata: Iterable[tuple[str, object]]) -> None:
        """Note what the worker has told of the part that is its own, in the call's metadata."""
        if (told := read_timing(metadata)) is not None:
            self._told = [("queue", told.queue_seconds), ("run", told.run_seconds)]

    def headers(self) -> dict[str, str]:
        """Return the header: the whole time, that of each part, and what the worker told, in ms."""
        total = ("total", self._begin - self._first)
        entries = (total, *self._parts, *self._told)
        return {SERVER_TIMING: write_timing(entries)}
