"""Reports to the parent which file a worker is loading, in case the worker dies of it."""

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
        self.crashed = list(crashed)

    def has_crashed(self, name: str, version: int, stamp: tuple[int, ...]) -> bool:
        """Whether a worker died while it loaded this file, which has not changed since."""
        return [name, version, list(stamp)] in self.crashed

    def forget(self, name: str) -> None:
        """Make the files of a model eligible for another try."""
        self.crashed = [entry for entry in self.crashed if entry[0] != name]

    @contextlib.contextmanager
    def loading(self, name: str, version: int, stamp: tuple[int, ...]) -> Iterator[None]:
        """Report that a file is being loaded while the block runs."""
        self._report([name, version, list(stamp)])
        try:
            yield
        finally:
            self._report(None)
