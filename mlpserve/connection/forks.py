"""How clients come through a fork, of which gRPC has three fears.

It can't be forked while a thread is inside of it: parents crash and children hang, whatever
GRPC_ENABLE_FORK_SUPPORT says. So a fork waits for the calls in progress, and new calls for the
fork. A child must not use its parent's connections: clients open their own. And where gRPC can't
work in a child at all, calls raise `ForkedProcess` instead of hanging.
"""

import ctypes
import os
import time
import weakref
from collections import deque

from mlpserve.errors import ForkedProcess

FORK_WAIT_SECONDS = 2.0
"""How long a fork waits for the calls in progress."""

_POLL_SECONDS = 0.001
# How gRPC spells false.
_OFF = {"0", "f", "false", "n", "no"}
REMEDY = (
    "start processes by multiprocessing's 'spawn' or 'forkserver', or fork before the first Client"
)
"""What to do where gRPC can't work in a forked process."""


class Process:
    """What a fork must know of this process's gRPC.

    `calls` has an entry for each call in progress, appended before `is_forking` is looked at; both
    need no lock, which a fork might find taken. `generation` differs from that of what has been
    opened before the last fork. `channels` are gRPC's, of all clients.
    """

    __slots__ = (
        "_fault",
        "_is_watching",
        "_loops",
        "_next_fault",
        "calls",
        "channels",
        "generation",
        "is_forking",
    )

    def __init__(self) -> None:
        self.calls: deque[None] = deque()
        self.is_forking = False
        self.generation = 0
        self.channels: weakref.WeakSet[object] = weakref.WeakSet()
        self._is_watching = False
        self._loops: weakref.WeakSet[object] = weakref.WeakSet()
        self._fault = self._next_fault = ""

    def open(self, user: object, *, is_aio: bool) -> int:
        """Note that somebody opens channels, and return the generation; raises ForkedProcess."""
        if self._fault:
            raise ForkedProcess(f"gRPC does not work in this forked process: {self._fault}")
        if is_aio:
            self._loops.add(user)
        return self.generation

    def watch(self) -> None:
        """Look after forks from now on: once gRPC does, which stops its own threads before a fork,
        where calls must have ended before. Of handlers the last one comes first.
        """
        if not self._is_watching and hasattr(os, "register_at_fork"):
            self._is_watching = True
            os.register_at_fork(
                before=self.before_fork,
                after_in_parent=self.after_fork_in_parent,
                after_in_child=self.after_fork_in_child,
            )

    def wait_for_fork(self) -> None:
        """Return when no fork is in progress; this call is among `calls` before and after."""
        while self.is_forking:
            self._step_aside()

    def wait(self) -> None:
        """Return when no fork is in progress, for a thread that has no call in progress."""
        while self.is_forking:
            time.sleep(_POLL_SECONDS)

    def _step_aside(self) -> None:
        self.calls.pop()
        time.sleep(_POLL_SECONDS)
        self.calls.append(None)

    def before_fork(self) -> None:
        """Wait for calls in progress, hold back others, and see whether a child can use gRPC."""
        self.is_forking = True
        end = time.monotonic() + FORK_WAIT_SECONDS
        while self.calls and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        self._next_fault = self._fault or self._find_fault()

    def after_fork_in_parent(self) -> None:
        """Let calls continue."""
        self.is_forking = False

    def after_fork_in_child(self) -> None:
        """Make each client open its own channels with its next call."""
        # Not cleared: the thread that has forked may be within a call.
        self.calls = deque()
        self.generation += 1
        self._fault = self._next_fault
        self._loops = weakref.WeakSet()
        # The end of a channel, also that of the interpreter, may wait for threads that only the
        # parent has. So the parent's never end here.
        for channel in self.channels:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(channel))
        self.channels = weakref.WeakSet()
        self.is_forking = False

    def _find_fault(self) -> str:
        """Return why gRPC can't work in a child, with the remedy; empty when it can."""
        if self._loops:
            return f"its parent had a mlpserve.aio.Client, whose threads it lacks; {REMEDY}"
        if self.calls:
            return (
                f"its parent had calls in progress for more than {FORK_WAIT_SECONDS:g} s; {REMEDY}"
            )
        if os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "").lower() in _OFF:
            return f"GRPC_ENABLE_FORK_SUPPORT switches that off; unset it, or {REMEDY}"
        return ""


PROCESS = Process()
"""This process. A fork copies all that there is, so this can't belong to a single client."""
