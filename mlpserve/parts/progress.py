"""A progress bar in the terminal, for whoever waits."""

import sys
import time
from types import TracebackType
from typing import Any, Self

PATIENCE_SECONDS = 2.0
"""What is over by then shows no bar."""


class Progress:
    """Shows how many of `n_images`, if that is known, are answered.

    Parameters
    ----------
    is_wanted
        True for a bar from the beginning on, False for none. None for one after two seconds, when
        standard error is a terminal, and rich, which draws it, is installed.

    Raises
    ------
    ImportError
        When a bar is wanted and rich is missing.
    """

    def __init__(self, n_images: int | None, is_wanted: bool | None) -> None:
        self._n_images, self._n_answered = n_images, 0
        self._begin = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._may_come = is_wanted is None and sys.stderr is not None and sys.stderr.isatty()
        if is_wanted:
            self._show()

    def advance(self, n_images: int) -> None:
        """Count images that are answered."""
        self._n_answered += n_images
        if self._may_come and time.monotonic() - self._begin > PATIENCE_SECONDS:
            self._may_come = False
            try:
                self._show()
            except ImportError:
                return
        if self._bar is not None:
            self._bar.update(self._task, completed=self._n_answered)

    def _show(self) -> None:
        try:
            from rich import console, progress
        except ImportError as error:
            raise ImportError(
                "a progress bar needs rich: pip install 'mlpserve[cli]', or give progress=False"
            ) from error
        self._bar = progress.Progress(
            progress.TextColumn("predict"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("images"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            console=console.Console(stderr=True),
        )
        self._task = self._bar.add_task("predict", total=self._n_images)
        self._bar.start()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        if self._bar is not None:
            self._bar.stop()
