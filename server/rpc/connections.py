"""How callers are connected: the address, TLS, pings, and the age of a connection."""

import contextlib
import errno
import math
import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from server.addresses import UNIX, UNIX_ABSTRACT
from server.certificates import Certificate
from server.errors import StartupError
from server.reloading import Files
from server.settings import Settings

FLAG = "--grpc-address"
NOBODY_ELSE = 0o117
"""The mask that leaves a socket to its owner and its group, 0660."""

GREETING_SECONDS = 0.1
"""What a connection may take from being accepted to being greeted, of which gRPC says nothing."""

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

_LARGEST_INTEGER = 2**31 - 1


def options(settings: Settings, has_lane: bool) -> tuple[tuple[str, int], ...]:
    """Return the gRPC server's options."""
    ended = ENDED_STREAMS if has_lane else ENDED_STREAMS_OF_THREADS
    age = settings.max_connection_age_seconds
    grace = settings.max_connection_age_grace_seconds
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
        ("grpc.keepalive_time_ms", _milliseconds(settings.keepalive_seconds)),
        # The second is the one that closes the connection; by default it is a minute.
        ("grpc.keepalive_timeout_ms", _milliseconds(settings.keepalive_timeout_seconds)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(settings.keepalive_timeout_seconds)),
        # Without it, idle connections are not pinged, and a caller's pings on them count as abuse.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _milliseconds(settings.min_client_ping_seconds),
        ),
        *((("grpc.max_connection_age_ms", _milliseconds(age)),) if age else ()),
        *((("grpc.max_connection_age_grace_ms", _milliseconds(grace)),) if grace else ()),
    )


def _milliseconds(seconds: float) -> int:
    # Upwards, since 0 has a meaning of its own.
    return min(math.ceil(1000 * seconds), _LARGEST_INTEGER)


def credentials(files: Files[Certificate]) -> grpc.ServerCredentials:
    """Return TLS with the files' content, of which each new connection gets the newest."""
    shown = files.content

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        files.refresh()
        newest = files.content
        if newest is shown:
            return None
        shown = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown),
        # Its types leave out that None stands for no change.
        fetch,  # type: ignore[arg-type]
        require_client_authentication=shown.client_ca is not None,
    )


def _configuration(its: Certificate) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(its.key, its.certificate)], its.client_ca)


class Binding:
    """A server's hold of an address."""

    def __init__(
        self, server: grpc.Server, address: str, tls: grpc.ServerCredentials | None
    ) -> None:
        """Listen on HOST:PORT, unix:PATH or unix-abstract:NAME; raises StartupError."""
        self._socket: tuple[Path, int] | None = None
        if address.startswith(UNIX):
            path = Path(address.removeprefix(UNIX))
            _make_way(path)
            with _mask(NOBODY_ELSE):
                _listen(server, address, tls)
            self._socket = path, path.stat().st_ino
        else:
            _listen(server, address, tls)

    def close(self) -> None:
        """Remove the socket's file, unless it is another server's by now."""
        if self._socket is not None:
            path, number = self._socket
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == number:
                    path.unlink()


def stop_listening() -> None:
    """Take no more connections, and give those just taken the time to be greeted.

    A server of gRPC's that stops greets whoever is just connecting, and says goodbye at once; its
    own client may then spin until the call's deadline instead of connecting anew.
    """
    files = _open_files()
    with contextlib.ExitStack() as stack:
        pollers = [stack.enter_context(poller) for poller in _pollers(files)]
        for file, opened in _listening(files):
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


def _pollers(files: list[int]) -> "Iterator[select.epoll]":
    """Yield what waits for connections, as far as the system tells."""
    for file in files:
        with contextlib.suppress(OSError):
            if str(Path(f"/proc/self/fd/{file}").readlink()) == "anon_inode:[eventpoll]":
                yield select.epoll.fromfd(os.dup(file))


def _listen(server: grpc.Server, address: str, tls: grpc.ServerCredentials | None) -> None:
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
        raise StartupError(f"gRPC can't listen on {address}: {remedy} Give another {FLAG}") from (
            error
        )


def _make_way(path: Path) -> None:
    """Remove the socket that a killed server has left; raises StartupError if it is anything else.

    gRPC itself would remove that of a running server as well.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StartupError(
                f"gRPC can't listen on {UNIX}{path}: there is a file that is no socket; remove it "
                f"or give another {FLAG}"
            )
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.settimeout(1)
            answer = attempt.connect_ex(str(path))
        if answer not in (errno.ECONNREFUSED, errno.ENOENT):
            raise StartupError(
                f"gRPC can't listen on {UNIX}{path}: another server does ({os.strerror(answer)}); "
                f"stop it or give another {FLAG}"
            )
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise StartupError(
                f"gRPC can't listen on {UNIX}{path} ({error.strerror or error}); give another "
                f"{FLAG}"
            ) from error


@contextlib.contextmanager
def _mask(mode: int) -> Iterator[None]:
    """Let files be made without these permissions."""
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)
