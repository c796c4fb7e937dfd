"""Lets Ctrl-C end the command between two rows, but not within one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import FrameType

from mlpserve.terminal.interrupts import interrupts_to


@dataclass(slots=True)
class Interrupts:
    """What Ctrl-C does while `catch` lasts: it raises KeyboardInterrupt, at once or a little later.

    A second one does so at once, so that output that nobody takes can be left.
    """

    is_put_off: bool = False
    is_waiting: bool = False

    def catch(self) -> AbstractContextManager[None]:
        """Be in charge of Ctrl-C, unless the process ignores it or this is not a main thread."""
        return interrupts_to(self._interrupt)

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
