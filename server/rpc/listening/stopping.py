"""Stops listening while calls in progress go on, which gRPC itself has no way to do."""

import contextlib
import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

GREETING_SECONDS = 0.1
"""Time for connections that are accepted to be greeted, which gRPC does not report."""


def stop_listening() -> None:
    """Take no more connections, and give those just taken the time to be greeted.

    A gRPC server that stops greets connections that are just being made and says goodbye at once;
    gRPC's client may then spin until the call's deadline instead of connecting again.
    """
    files = _open_files()
    with contextlib.ExitStack() as stack:
        pollers = [stack.enter_context(poller) for poller in _pollers(files)]
        for file, opened in _listening(files):
            if _is_path(opened):
                # Its file is gone or another's; connections made before are still accepted.
                continue
            # First, or the poller would log the shutdown as an error.
            for poller in pollers:
                with contextlib.suppress(OSError):
                    poller.unregister(file)
            # Not every system can shut down a listening socket.
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RD)
    time.sleep(GREETING_SECONDS)


def can_stop_listening() -> bool:
    """Whether `stop_listening` finds anything to stop on this system, once the server listens."""
    return any(True for _ in _listening(_open_files()))


def _open_files() -> list[int]:
    """Return this process's file descriptors, as far as the system shows them."""
    try:
        return [int(file.name) for file in Path("/dev/fd").iterdir()]
    except (OSError, ValueError):
        return []


def _listening(files: list[int]) -> Iterator[tuple[int, socket.socket]]:
    """Yield the sockets that listen, which are gRPC's: a worker listens for nothing else."""
    for file in files:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(file).st_mode):
                with socket.socket(fileno=os.dup(file)) as opened:
                    if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        yield file, opened


def _is_path(opened: socket.socket) -> bool:
    """Whether a socket has a path, rather than a port or an abstract name."""
    name = opened.getsockname()
    return isinstance(name, str) and bool(name)


def _pollers(files: list[int]) -> "Iterator[select.epoll]":
    """Yield the epoll instances of this process, as far as the system shows them."""
    for file in files:
        with contextlib.suppress(OSError):
            if str(Path(f"/proc/self/fd/{file}").readlink()) == "anon_inode:[eventpoll]":
                yield select.epoll.fromfd(os.dup(file))
