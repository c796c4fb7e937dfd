"""How callers are connected: the address, TLS, pings, and the age of a connection."""

import contextlib
import errno
import math
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from server.errors import StartupError
from server.files.certificates import Certificate
from server.files.watched_files import WatchedFiles
from server.rpc.handshake import configuration
from server.settings.addresses import UNIX, UNIX_ABSTRACT
from server.settings.settings import Settings

FLAG = "--grpc-address"
NOBODY_ELSE = 0o117
"""The mask that leaves a socket to its owner and its group, 0660."""

GREETING_SECONDS = 0.1
"""What a connection may take from being accepted to being greeted, of which gRPC says nothing."""

ROOM_SECONDS, ROOM_TICK_SECONDS = 10.0, 0.005
"""How long, and how often, a worker looks whether its predecessor has stopped listening."""

_CREDENTIALS = struct.Struct("3i")
"""Linux's ucred: process, user and group."""
STREAMS_PER_CONNECTION = 128
"""Calls that a connection may have at once; a caller that keeps to HTTP/2 lets further ones wait.

gRPC's default is no bound: calls that are begun and reset, or begun and left, then fill the memory,
and wait before those of everybody else. 128 are enough for one connection to keep a worker busy.
"""

ENDED_STREAMS, ENDED_STREAMS_OF_THREADS = 128, 1000
"""Calls of a connection beside these that have ended, as their caller sees it, and of which the
server has yet to let go: with the lane, and without, where that takes longer.

gRPC refuses what is beyond, which is what bounds calls that are reset at once. Its default is none,
so that it would refuse, without a word, calls of a caller that has only as many as it may have.
"""

PENDING_CALLS = 10_000
"""Calls of a method that have arrived and that nobody has taken yet, over all connections.

Of more than 1,000 gRPC would by default cancel some, without a word and uncounted; what is too much
is to get an answer that says so. This many come together only from a flood of connections, which
would fill the memory.
"""

KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS = 60.0, 20.0
"""Silence after which a connection is pinged, and how long the answer may take."""

MIN_CLIENT_PING_SECONDS = 10.0
"""Callers that ping more often are disconnected (GOAWAY too_many_pings)."""

_LARGEST_INTEGER = 2**31 - 1


def options(settings: Settings, has_lane: bool) -> tuple[tuple[str, int], ...]:
    """Return the gRPC server's options."""
    ended = ENDED_STREAMS if has_lane else ENDED_STREAMS_OF_THREADS
    age = settings.max_connection_age_seconds
    return (
        # The parent keeps everybody but its workers away from the port.
        ("grpc.so_reuseport", 1),
        # It would let callers send megabytes ahead of what is asked for, in each call.
        ("grpc.http2.bdp_probe", 0),
        # What is moderately too large comes through, to be answered with what to do about it.
        (
            "grpc.max_receive_message_length",
            min(2 * settings.max_message_bytes, _LARGEST_INTEGER),
        ),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
        ("grpc.http2.max_deallocating_streams", ended),
        ("grpc.server.max_pending_requests", PENDING_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", PENDING_CALLS),
        ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE_SECONDS)),
        # The second is the one that closes the connection; by default it is a minute.
        ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT_SECONDS)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT_SECONDS)),
        # Without it, idle connections are not pinged, and a caller's pings on them count as abuse.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _milliseconds(MIN_CLIENT_PING_SECONDS),
        ),
        *((("grpc.max_connection_age_ms", _milliseconds(age)),) if age else ()),
    )


def _milliseconds(seconds: float) -> int:
    # Upwards, since 0 has a meaning of its own.
    return min(math.ceil(1000 * seconds), _LARGEST_INTEGER)


def credentials(files: WatchedFiles[Certificate]) -> grpc.ServerCredentials:
    """Return TLS with the files' content, of which each new connection gets the newest.

    Nothing is read or tried out meanwhile: whoever connects would wait for it.
    """
    shown = files.content

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        newest = files.content
        if newest is shown:
            return None
        shown = newest
        return configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        configuration(shown),
        # Its types leave out that None stands for no change.
        fetch,  # type: ignore[arg-type]
        require_client_authentication=shown.client_ca is not None,
    )


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
        """Let nobody find the socket any more, unless its file is another server's by now."""
        if self._socket is not None:
            path, number = self._socket
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == number:
                    path.unlink()


def _listen_on_path(
    server: grpc.Server, address: str, tls: grpc.ServerCredentials | None
) -> tuple[Path, int]:
    """Listen, and return the socket's path and its inode.

    The socket gets its name when it listens already, so that at no time nobody does who has the
    name, and so that gRPC, which removes its socket at its end, does not remove a successor's.
    """
    path = Path(address.removeprefix(UNIX))
    _check_path(path)
    begun = path.with_name(f".{os.getpid()}.sock") if path.name else path
    with _mask(NOBODY_ELSE):
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
    """Listen on a name that a predecessor may have, who is then asked for it and waited for."""
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
            # It has no time to answer, or not for this process.
            return 0
        if not hasattr(socket, "SO_PEERCRED"):
            return 0
        packed = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(packed)[0])


def _is_taken(name: str) -> bool:
    """Whether a socket has an abstract name, be it one that listens no longer."""
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


def stop_listening() -> None:
    """Take no more connections, and give those just taken the time to be greeted.

    A server of gRPC's that stops greets whoever is just connecting, and says goodbye at once; its
    own client may then spin until the call's deadline instead of connecting anew.
    """
    files = _open_files()
    with contextlib.ExitStack() as stack:
        pollers = [stack.enter_context(poller) for poller in _pollers(files)]
        for file, opened in _listening(files):
            if _is_path(opened):
                # Its file is gone or another's: whoever has come before that is still taken.
                continue
            # Nobody need be told, who would log it as an error.
            for poller in pollers:
                with contextlib.suppress(OSError):
                    poller.unregister(file)
            # Not every system lets a socket that listens be shut down.
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RD)
    time.sleep(GREETING_SECONDS)


def can_stop_listening() -> bool:
    """Whether `stop_listening` finds anything to stop on this system, once the server listens."""
    return any(True for _ in _listening(_open_files()))


def _open_files() -> list[int]:
    """Return this process's files, as far as the system tells."""
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
    """Yield what waits for connections, as far as the system tells."""
    for file in files:
        with contextlib.suppress(OSError):
            if str(Path(f"/proc/self/fd/{file}").readlink()) == "anon_inode:[eventpoll]":
                yield select.epoll.fromfd(os.dup(file))


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
                    f"gRPC can't listen on {UNIX}{path}: there is a file that is no socket; remove "
                    f"it or give another {FLAG}"
                )
        pid = _listener(str(path))
    except OSError as error:
        # Python's own, of a path that no caller could name.
        reason = error.strerror or f"{error}: is it short enough?"
        raise StartupError(
            f"gRPC can't listen on {UNIX}{path} ({reason}); give another {FLAG}"
        ) from error
    # What a killed server has left is taken over too.
    if pid is not None and not _is_sibling(pid):
        who = f" (process {pid})" if pid else ""
        raise StartupError(
            f"gRPC can't listen on {UNIX}{path}: another server does{who}; stop it or give another "
            f"{FLAG}"
        )


@contextlib.contextmanager
def _mask(mode: int) -> Iterator[None]:
    """Let files be made without these permissions."""
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)
