"""A progress bar in the terminal, for whoever waits."""

import contextlib
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from mlpserve.extras import install_command

PATIENCE_SECONDS = 2.0
"""What is over by then shows no bar."""


class Progress:
    """Shows how many images are answered, while a block lasts.

    Standard output is left alone, and what the program writes to standard error appears above.

    Parameters
    ----------
    n_images
        How many there are, None if that isn't known. A function that counts them is called when
        there is a bar; where it comes later, on another thread.
    is_wanted
        True for a bar from the beginning on, False for none. None for one after two seconds, when
        standard error is a terminal, and rich, which draws it, is installed.

    Raises
    ------
    ImportError
        When a bar is wanted and rich is missing.
    """

    def __init__(self, n_images: int | Callable[[], int] | None, is_wanted: bool | None) -> None:
        self._count, self._n_answered = n_images, 0
        self._lock = threading.Lock()
        self._is_over = False
        self._bar: Any = None
        self._task: Any = None
        self._timer: threading.Timer | None = None
        if is_wanted:
            self._show()
        elif is_wanted is None and sys.stderr is not None and sys.stderr.isatty():
            # Whoever waits for the first answer sees one too.
            self._timer = threading.Timer(PATIENCE_SECONDS, self._show_if_possible)
            self._timer.daemon = True

    def advance(self, n_images: int) -> None:
        """Count images that are answered."""
        with self._lock:
            self._n_answered += n_images
            if self._bar is not None:
                self._bar.update(self._task, completed=self._n_answered)

    def _show_if_possible(self) -> None:
        with contextlib.suppress(ImportError):
            self._show()

    def _show(self) -> None:
        try:
            from rich import console, progress
        except ImportError as error:
            raise ImportError(
                f"a progress bar needs rich: {install_command('cli')}, or give progress=False"
            ) from error
        bar = progress.Progress(
            progress.TextColumn("predict"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("images"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            console=console.Console(stderr=True),
            redirect_stdout=False,
        )
        count = self._count
        with self._lock:
            if self._is_over:
                return
            total = None if callable(count) else count
            self._bar = bar
            self._task = bar.add_task("predict", total=total, completed=self._n_answered)
            bar.start()
        if callable(count):
            bar.update(self._task, total=count())

    def __enter__(self) -> Self:
        """Return it."""
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._is_over = True
            if self._bar is not None:
                self._bar.stop()
