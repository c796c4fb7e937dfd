"""Tells the system's scheduler what kind of work this is."""

import contextlib
import os
import sys


def set_batch() -> None:
    """Let the threads that this one starts from now on interrupt no other when they wake.

    By default Linux interrupts a thread for each one that wakes. gRPC's do so whenever something
    has arrived, and take the core and its cache from the lane's run; with batch scheduling they
    wait until it rests. It is no lower priority, but whatever doesn't rest, another program or a
    slow run, then keeps the core until the next tick, up to 4 ms away. Whoever has started this
    process with another policy has meant it.
    """
    if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
        # A sandbox may forbid it.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
