"""Shows in a terminal how far a long run is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

DELAY_SECONDS = 1.0
"""What takes less needs no bar."""


@contextmanager
def show_progress(
    n_images: Callable[[], int], *, is_wanted: bool
) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many images are done; the block gets a function to count them.

    `n_images` counts them all. Nothing is shown, nor counted, unless that is a terminal.
    """
    console = Console(stderr=True)
    if not is_wanted or not console.is_terminal:
        yield lambda _n: None
        return
    columns = (
        TextColumn("images"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Errors appear above the bar; standard output is somebody else's.
    progress = Progress(*columns, console=console, redirect_stdout=False, transient=True)
    task = progress.add_task("images", total=None)

    lock = threading.Lock()
    is_over = False

    def begin() -> None:
        with lock:
            if is_over:
                return
            progress.start()
        # It may take a while to count the pictures of folders.
        progress.update(task, total=n_images())

    timer = threading.Timer(DELAY_SECONDS, begin)
    timer.daemon = True
    timer.start()
    try:
        yield lambda n: progress.advance(task, n)
    finally:
        timer.cancel()
        with lock:
            is_over = True
            if progress.live.is_started:
                progress.stop()
