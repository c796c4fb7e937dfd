"""How much memory this process may still use, so that what does not fit is not attempted."""

import contextlib
import fcntl
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from server.errors import Fault
from server.system.cores import group_folders

PAGE_BYTES = resource.getpagesize()
_UNLIMITED = 1 << 60
"""Version 1 of control groups has a number near 2**63 for no limit."""

PLENTY = 8
"""How many workers may load a file at the same time before they take turns."""

TURN_SECONDS = 60.0
"""How long to wait for a turn; a worker that takes longer hangs, and must not block the others."""

POLL_SECONDS = 0.02


def check(n_bytes: int) -> None:
    """Raise Fault when there is less memory than that."""
    free = headroom()
    if free is not None and n_bytes > free:
        raise Fault(
            f"needs {n_bytes} bytes of memory to load, and {free} are available; raise the limit, "
            "lower --workers or export a smaller network",
            "memory",
        )


@contextlib.contextmanager
def turn(file: Path, n_bytes: int) -> Iterator[None]:
    """Run the block while no other process does for this file, unless there is plenty of memory.

    Workers notice a new file at the same time, and all would count on the same free memory.
    """
    free = headroom()
    if free is None or PLENTY * n_bytes < free:
        yield
        return
    with contextlib.ExitStack() as held:
        # Without locks, as on some network file systems, it proceeds anyway.
        with contextlib.suppress(OSError):
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            held.callback(os.close, descriptor)
            end = time.monotonic() + TURN_SECONDS
            while not _is_locked(descriptor) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
        yield


def _is_locked(descriptor: int) -> bool:
    """Try to lock a file; returns whether that worked, and raises OSError if it can't work."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def headroom() -> int | None:
    """Return the bytes that are left: the minimum over the limits of this process, its container
    and the machine; None when none is known.
    """
    return min((*_of_process(), *_of_groups(), *_of_machine()), default=None)


def _of_process() -> Iterator[int]:
    """Yield what the limits of `ulimit -v` and `-d` leave."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = list(map(int, Path("/proc/self/statm").read_text().split()))
        for limit, used in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
            soft, _ = resource.getrlimit(limit)
            if soft != resource.RLIM_INFINITY:
                yield max(0, soft - used * PAGE_BYTES)


def _of_groups() -> Iterator[int]:
    """Yield what the limits of this process's control groups leave."""
    for folder in group_folders("memory"):
        for limit, used, prefix in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            # Also if there is no such file, or it has "max".
            with contextlib.suppress(OSError, ValueError):
                maximum = int((folder / limit).read_text())
                if maximum >= _UNLIMITED:
                    continue
                # The page cache counts as used, but is freed when memory is short.
                lines = (folder / "memory.stat").read_text().splitlines()
                statistics = dict(map(str.split, lines))
                kinds = f"{prefix}inactive_file", f"{prefix}active_file"
                cached = sum(int(statistics.get(kind, 0)) for kind in kinds)
                yield max(0, maximum - int((folder / used).read_text()) + cached)


def _of_machine() -> Iterator[int]:
    """Yield what is available without swapping, according to the kernel."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
