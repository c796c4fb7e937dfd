"""Holds the address on which gRPC listens: a port, a socket with a path, or an abstract name."""

import contextlib
import errno
import os
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from server.errors import StartupError
from server.settings.addresses import UNIX, UNIX_ABSTRACT

FLAG = "--grpc-address"
SOCKET_UMASK = 0o117
"""Leaves a socket to its owner and its group, 0660."""

ROOM_SECONDS, ROOM_TICK_SECONDS = 10.0, 0.005
"""How long a worker waits for its predecessor to stop listening, and how often it checks."""

_CREDENTIALS = struct.Struct("3i")
"""Linux's ucred: process, user and group."""


class Binding:
    """A server's hold of an address."""

    def __init__(
        self,
        server: grpc.Server,
        address: str,
        tls: grpc.ServerCredentials | None,
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        """Listen on HOST:PORT, unix:PATH or unix-abstract:NAME; raises StartupError.

        A Unix-domain socket may be taken over from another worker of the same parent. `make_room`
        has that one stop listening, where two can't listen at the same time.
        """
        self._socket: tuple[Path, int] | None = None
        if address.startswith(UNIX):
            self._socket = _listen_on_path(server, address, tls)
        elif address.startswith(UNIX_ABSTRACT):
            _listen_on_name(server, address, tls, make_room)
        else:
            _listen(server, address, tls)

    def close(self) -> None:
        """Remove the socket, unless its file is another server's by now."""
        if self._socket is not None:
            path, number = self._socket
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == number:
                    path.unlink()


def _listen_on_path(
    server: grpc.Server, address: str, tls: grpc.ServerCredentials | None
) -> tuple[Path, int]:
    """Listen, and return the socket's path and its inode.

    The socket is renamed to the path once it listens: the path is then never without a listener,
    and gRPC, which removes its socket at the end, can't remove a successor's.
    """
    path = Path(address.removeprefix(UNIX))
    _check_path(path)
    begun = path.with_name(f".{os.getpid()}.sock") if path.name else path
    with _mask(SOCKET_UMASK):
        _listen(server, f"{UNIX}{begun}", tls, shown=address)
    try:
        number = begun.stat().st_ino
        begun.rename(path)
    except OSError as error:
        begun.unlink(missing_ok=True)
        raise StartupError(
            f"gRPC can't listen on {address} ({error.strerror}); give another {FLAG}"
        ) from error
    return path, number


def _listen_on_name(
    server: grpc.Server,
    address: str,
    tls: grpc.ServerCredentials | None,
    make_room: Callable[[], None],
) -> None:
    """Listen on a name; a predecessor that has it is asked to give it up, and waited for."""
    name = f"\0{address.removeprefix(UNIX_ABSTRACT)}"
    if _is_sibling(_listener(name)):
        make_room()
        end = time.monotonic() + ROOM_SECONDS
        while _is_taken(name) and time.monotonic() < end:
            time.sleep(ROOM_TICK_SECONDS)
    _listen(server, address, tls)


def _listener(path: str) -> int | None:
    """Return the process that listens on a Unix-domain socket; 0 for an unknown one, None if there
    is none. Raises OSError when that can't be found out.
    """
    with socket.socket(socket.AF_UNIX) as attempt:
        attempt.settimeout(1)
        if answer := attempt.connect_ex(path):
            if answer in (errno.ECONNREFUSED, errno.ENOENT):
                return None
            # It is too busy to answer, or doesn't answer this process.
            return 0
        if not hasattr(socket, "SO_PEERCRED"):
            return 0
        packed = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(packed)[0])


def _is_taken(name: str) -> bool:
    """Whether an abstract name is taken, even by a socket that no longer listens."""
    with socket.socket(socket.AF_UNIX) as attempt:
        try:
            attempt.bind(name)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _is_sibling(pid: int | None) -> bool:
    """Whether a process has the same parent as this one, which is the server's."""
    try:
        # After the name, which may have anything in it: the state, then the parent.
        return pid is not None and os.getppid() == int(
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        )
    except (OSError, ValueError, IndexError):
        return False


def _listen(
    server: grpc.Server, address: str, tls: grpc.ServerCredentials | None, shown: str = ""
) -> None:
    """Listen; raises StartupError about the address `shown`, or this one."""
    try:
        if tls is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, tls)
    except RuntimeError as error:
        remedy = (
            "does its folder exist, may this user write there, and is it short enough?"
            if address.startswith(UNIX)
            else "is the name taken?"
            if address.startswith(UNIX_ABSTRACT)
            else "is the port taken, or the address not this machine's?"
        )
        raise StartupError(
            f"gRPC can't listen on {shown or address}: {remedy} Give another {FLAG}"
        ) from error


def _check_path(path: Path) -> None:
    """Raise StartupError when the path is in use by another server, or no socket."""
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise StartupError(
                    f"gRPC can't listen on {UNIX}{path}: there is a file that is not a socket; "
                    f"remove it or give another {FLAG}"
                )
        pid = _listener(str(path))
    except OSError as error:
        # Python's own, of a path that no caller could name.
        reason = error.strerror or f"{error}: is it short enough?"
        raise StartupError(
            f"gRPC can't listen on {UNIX}{path} ({reason}); give another {FLAG}"
        ) from error
    # A socket left by a killed server is taken over too.
    if pid is not None and not _is_sibling(pid):
        who = f" (process {pid})" if pid else ""
        raise StartupError(
            f"gRPC can't listen on {UNIX}{path}: another server does{who}; stop it or give another "
            f"{FLAG}"
        )


@contextlib.contextmanager
def _mask(mode: int) -> Iterator[None]:
    """Create files without these permissions meanwhile."""
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)
