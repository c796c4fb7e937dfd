"""Whoever sends a request: what their connection shows, and what ends when they leave."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from starlette.types import Scope

KEY = "caller"


class Caller:
    """Whoever has a connection."""

    __slots__ = ("_ends", "has_certificate")

    def __init__(self, has_certificate: bool = False) -> None:
        self.has_certificate = has_certificate
        self._ends: list[Callable[[], Any]] = []

    @contextlib.contextmanager
    def ending(self, end: Callable[[], Any]) -> Iterator[None]:
        """Have `end` called if the connection ends before the block does."""
        self._ends.append(end)
        try:
            yield
        finally:
            self._ends.remove(end)

    def leave(self) -> None:
        """Note that the connection has ended."""
        for end in list(self._ends):
            end()


def caller_of(scope: Scope) -> Caller:
    """Return who has sent a request."""
    found = scope.get("state", {}).get(KEY)
    return found if isinstance(found, Caller) else Caller()
