"""Whoever sends a request: what their connection shows, and what ends when they leave."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from starlette.types import Scope

KEY = "caller"


class Connection(Protocol):
    """What is done with a caller's connection."""

    def one_write(self) -> AbstractContextManager[None]:
        """Send what is written in the block when it ends."""

    def abort(self) -> None:
        """Close at once."""


class Caller:
    """Whoever has a connection."""

    __slots__ = ("_connection", "_ends", "has_certificate")

    def __init__(self, has_certificate: bool = False, connection: Connection | None = None) -> None:
        self.has_certificate = has_certificate
        self._connection = connection
        self._ends: list[Callable[[], Any]] = []

    @contextlib.contextmanager
    def ending(self, end: Callable[[], Any]) -> Iterator[None]:
        """Have `end` called if the connection ends before the block does."""
        self._ends.append(end)
        try:
            yield
        finally:
            self._ends.remove(end)

    def one_write(self) -> AbstractContextManager[None]:
        """Send what is written in the block when it ends."""
        connection = self._connection
        return contextlib.nullcontext() if connection is None else connection.one_write()

    def leave(self) -> None:
        """Note that the connection has ended."""
        for end in list(self._ends):
            end()

    def give_up(self) -> None:
        """Close the connection at once."""
        if self._connection is not None:
            self._connection.abort()


def caller_of(scope: Scope) -> Caller:
    """Return who has sent a request."""
    found = scope.get("state", {}).get(KEY)
    return found if isinstance(found, Caller) else Caller()
