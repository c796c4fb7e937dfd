"""Signals as a descriptor, which the parent waits for together with its other ones."""

import contextlib
import signal
import socket
from types import FrameType

STOP = (signal.SIGTERM, signal.SIGINT)
HANDLED = (*STOP, signal.SIGHUP, signal.SIGUSR2)


class Signals:
    """Collects the signals of this process; to be made on the main thread.

    SIGCHLD is among them, so that the exit of a process is noticed at once.
    """

    def __init__(self) -> None:
        self._socket, self._writer = socket.socketpair()
        for end in (self._socket, self._writer):
            end.setblocking(False)
        # Python writes their numbers there. If there is no room, enough are waiting already.
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*HANDLED, signal.SIGCHLD):
            signal.signal(number, _note)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable after a signal."""
        return self._socket.fileno()

    def take(self) -> list[int]:
        """Return the numbers of the signals that have arrived."""
        with contextlib.suppress(BlockingIOError):
            return list(self._socket.recv(4096))
        return []

    def close(self) -> None:
        """Stop collecting; further signals are ignored."""
        signal.set_wakeup_fd(-1)
        self._socket.close()
        self._writer.close()


def _note(_number: int, _frame: FrameType | None) -> None:
    """Keep the signal from ending the process."""
