"""How much memory this process may still take, so that what does not fit is not even tried."""

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
"""Version 1 of control groups says so with a number near 2**63."""

PLENTY = 8
"""Workers that may load a file at the same time without asking whether the others do."""

TURN_SECONDS = 60.0
"""How long to wait for the others; one that takes longer hangs, and may not hold up all."""

POLL_SECONDS = 0.02


def check(n_bytes: int) -> None:
    """Raise Fault when there is not so much memory."""
    free = headroom()
    if free is not None and n_bytes > free:
        raise Fault(
            f"needs {n_bytes} bytes of memory while it is loaded, and {free} are left; raise the "
            "limit, lower --workers or export a smaller network",
            "memory",
        )


@contextlib.contextmanager
def turn(file: Path, n_bytes: int) -> Iterator[None]:
    """Run the block while no other process does for this file, if there is not plenty of memory.

    Workers find a new file at the same time, and what one finds free, another may just take.
    """
    free = headroom()
    if free is None or PLENTY * n_bytes < free:
        yield
        return
    with contextlib.ExitStack() as held:
        # Without locks, as on some network file systems, it is tried all the same.
        with contextlib.suppress(OSError):
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            held.callback(os.close, descriptor)
            end = time.monotonic() + TURN_SECONDS
            while not _is_locked(descriptor) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
        yield


def _is_locked(descriptor: int) -> bool:
    """Whether a file is locked by this process from now on; raises OSError if that can't be."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def headroom() -> int | None:
    """Return the bytes that can be had: the least of what the limits of this process, its
    container and the machine leave; None when nothing says.
    """
    return min((*_of_process(), *_of_groups(), *_of_machine()), default=None)


def _of_process() -> Iterator[int]:
    """Yield what the limits of addresses and of data leave, as `ulimit -v` and `-d` set them."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = list(map(int, Path("/proc/self/statm").read_text().split()))
        for limit, used in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
            soft, _ = resource.getrlimit(limit)
            if soft != resource.RLIM_INFINITY:
                yield max(0, soft - used * PAGE_BYTES)


def _of_groups() -> Iterator[int]:
    """Yield what the limits of the control groups that this process is in leave."""
    for folder in group_folders("memory"):
        for limit, used, prefix in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            # Also where there is no such file, or it says "max".
            with contextlib.suppress(OSError, ValueError):
                most = int((folder / limit).read_text())
                if most >= _UNLIMITED:
                    continue
                # What has been read from files counts, and goes when memory is short.
                statistics = dict(map(str.split, _lines(folder / "memory.stat")))
                kinds = f"{prefix}inactive_file", f"{prefix}active_file"
                cached = sum(int(statistics.get(kind, 0)) for kind in kinds)
                yield max(0, most - int((folder / used).read_text()) + cached)


def _of_machine() -> Iterator[int]:
    """Yield what the kernel says can be had without swapping."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _lines(Path("/proc/meminfo")):
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()
