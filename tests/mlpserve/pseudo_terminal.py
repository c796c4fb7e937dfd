"""A terminal for tests, which remembers what is shown on it."""

import os
import pty
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminal:
    """What a process shows on a terminal, read as it comes."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.shown = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        # Without a reader on the other side there is an error instead of an end.
        try:
            while content := os.read(self.ours, 4096):
                self.shown += content.decode()
        except OSError:
            pass

    def close(self) -> None:
        os.close(self.theirs)
        self._thread.join()
        os.close(self.ours)


@contextmanager
def open_terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    try:
        yield terminal
    finally:
        terminal.close()


def plain(shown: str) -> str:
    """What a terminal shows, without its control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
