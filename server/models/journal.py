"""Reports which file a worker is loading to its parent, in case the worker dies of it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator


class Journal:
    """What is being loaded, and what predecessors of this worker were loading when they died."""

    def __init__(
        self,
        report: Callable[[list[object] | None], None] = lambda _entry: None,
        crashed: Iterable[list[object]] = (),
    ) -> None:
        """`report` is given what is being loaded, and None afterwards; `crashed` are the entries
        that predecessors gave it before they died.
        """
        self._report = report
        self.crashed = {_key(*entry) for entry in crashed}

    def has_crashed(self, name: str, version: int, stamp: tuple[int, ...]) -> bool:
        """Whether a worker died while it loaded this file, which has not changed since."""
        return _key(name, version, stamp) in self.crashed

    @contextlib.contextmanager
    def loading(self, name: str, version: int, stamp: tuple[int, ...]) -> Iterator[None]:
        """Report that a file is being loaded while the block runs."""
        self._report([name, version, list(stamp)])
        try:
            yield
        finally:
            self._report(None)


def _key(name: object, version: object, stamp: object) -> str:
    """Return an entry as one string, whether it has been JSON meanwhile or not."""
    numbers = stamp if isinstance(stamp, Iterable) else ()
    return "/".join((str(name), str(version), *map(str, numbers)))
