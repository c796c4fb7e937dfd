"""Large answers, in bounds until they are read."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from server.http.connections.caller import Caller
from server.http.errors import LATER, HttpError

PATIENCE_SECONDS = 5.0
"""How long an answer may take to be read while there is no room for others."""


@dataclass(slots=True, eq=False)
class Answer:
    """An answer that is being read."""

    caller: Caller
    bytes: int
    since: float


class Unread:
    """The room for large answers. One that has none beside it may be larger."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.bytes = max_bytes, 0
        self._answers: dict[Answer, None] = {}

    @contextlib.contextmanager
    def one(self, size: int, caller: Caller) -> Iterator[None]:
        """Keep room for an answer until the block ends; raises HttpError when there is none."""
        now = time.monotonic()
        if not self._make_room(size, now):
            raise HttpError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"unread answers fill all {self.max_bytes} bytes reserved for them; read faster, "
                "or retry later",
                reason="UNREAD",
                headers=LATER,
            )
        answer = Answer(caller, size, now)
        self._answers[answer] = None
        self.bytes += size
        try:
            yield
        finally:
            del self._answers[answer]
            self.bytes -= answer.bytes

    def _make_room(self, size: int, now: float) -> bool:
        """Return whether there is room for so many bytes, if need be after giving up what has been
        read for long, the oldest first.
        """
        for answer in self._answers:
            if self._has_room(size):
                break
            if now - answer.since > PATIENCE_SECONDS:
                answer.caller.give_up()
                self.bytes -= answer.bytes
                answer.bytes = 0
        return self._has_room(size)

    def _has_room(self, size: int) -> bool:
        return not self.bytes or self.bytes + size <= self.max_bytes
