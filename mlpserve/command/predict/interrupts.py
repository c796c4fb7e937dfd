"""Lets Ctrl-C end the command between two rows, but not within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Interrupts:
    """What Ctrl-C does while `catch` lasts: it raises KeyboardInterrupt, at once or a little later.

    A second one does so at once, so that output that nobody takes can be left.
    """

    is_put_off: bool = False
    is_waiting: bool = False

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Be in charge of Ctrl-C, unless the process ignores it or this is no main thread."""
        before = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or before != signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Have Ctrl-C wait for the end of the block."""
        self.is_put_off = True
        try:
            yield
        finally:
            self.is_put_off = False
        if self.is_waiting:
            self.is_waiting = False
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_put_off and not self.is_waiting:
            self.is_waiting = True
            return
        raise KeyboardInterrupt
