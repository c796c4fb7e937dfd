"""Which file a worker is loading, told to its parent, which knows it even if the worker dies."""

import contextlib
from collections.abc import Callable, Iterable, Iterator


class Journal:
    """What is being loaded, and what was when a worker in this one's place died."""

    def __init__(
        self,
        tell: Callable[[list[object] | None], None] = lambda _entry: None,
        crashed: Iterable[list[object]] = (),
    ) -> None:
        """`tell` is given what is being loaded, and None once it is not any more; `crashed` are
        those that it was given by workers that died of it.
        """
        self._tell = tell
        self.crashed = {_key(*entry) for entry in crashed}

    def has_crashed(self, name: str, version: int, stamp: tuple[int, ...]) -> bool:
        """Whether a worker died while it loaded this file, which has not changed since."""
        return _key(name, version, stamp) in self.crashed

    @contextlib.contextmanager
    def loading(self, name: str, version: int, stamp: tuple[int, ...]) -> Iterator[None]:
        """Say that a file is being loaded, for as long as the block runs."""
        self._tell([name, version, list(stamp)])
        try:
            yield
        finally:
            self._tell(None)


def _key(name: object, version: object, stamp: object) -> str:
    """Return an entry as one text, whether it has travelled as JSON or not."""
    numbers = stamp if isinstance(stamp, Iterable) else ()
    return "/".join((str(name), str(version), *map(str, numbers)))
