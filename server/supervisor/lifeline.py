"""Ends a process together with the parent that started it."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From Linux's prctl.h."""


def die_with(parent: int) -> None:
    """Have this process killed when its parent, of this id, exits for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have exited before.
    if os.getppid() != parent:
        os._exit(1)
