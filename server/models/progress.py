"""What a pass over the repository is at, for those who ask while it goes on."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Key = tuple[str, int]
"""A model's name and the number of a version."""


@dataclass(slots=True)
class Progress:
    """The version that is being loaded, and those that a pass in progress has yet to load or has
    loaded but not served.

    Each is replaced as a whole, so that any thread may read it.
    """

    loading: Key | None = None
    awaited: frozenset[Key] = frozenset()

    def begin(self, awaited: Iterable[Key]) -> None:
        """Note what a pass is about to load."""
        self.awaited = frozenset(awaited)

    def end(self) -> None:
        """Note that what the pass has loaded is served."""
        self.awaited = frozenset()

    @contextlib.contextmanager
    def load(self, key: Key) -> Iterator[None]:
        """Note that a version is being loaded while the block runs."""
        self.loading = key
        try:
            yield
        finally:
            self.loading = None
