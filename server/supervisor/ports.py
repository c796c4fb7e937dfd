"""Takes the ports: HTTP's to answer on, gRPC's so that this server's workers alone share it."""

import errno
import socket
from dataclasses import dataclass

from server.errors import StartupError
from server.settings.addresses import is_socket, split_address

MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
BACKLOG = 1024
"""Connections that wait while HTTP's process is replaced; the system may allow fewer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A port that only the workers of this parent can share, for as long as `sockets` are open."""

    address: str
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        """Let others have the port."""
        for holder in self.sockets:
            holder.close()


def claim(address: str, flag: str) -> Claim:
    """Take HOST:PORT for the workers; port 0 becomes a free one.

    A Unix-domain socket is left to the worker. Raises StartupError when it can't be had, be it that
    somebody who shares it has it.
    """
    if is_socket(address):
        return Claim(address, ())
    host, port = split_address(address, flag)
    sockets: list[socket.socket] = []
    try:
        found = _resolve(host, port)
        for family, target in found:
            # A name may stand for an address that this machine lacks, such as ::1.
            is_last = target == found[-1][-1]
            if holder := _bind(family, (target, port), optional=bool(sockets) or not is_last):
                sockets.append(holder)
                port = holder.getsockname()[1]
    except (OSError, UnicodeError) as error:
        Claim(address, tuple(sockets)).close()
        raise StartupError(_refusal("gRPC", address, flag, error)) from error
    return Claim(f"{host}:{port}", tuple(sockets))


def _bind(family: int, target: tuple[str, int], *, optional: bool) -> socket.socket | None:
    """Hold an address and port without listening; None when it is missing and optional."""
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        # What is left of a server's connections must not keep the next server away.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(target)
        # Bound alone, and shared from now on with whoever asks to share, which are the workers:
        # another parent asks for it alone, as above, and does not get it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        holder.close()
        if optional and error.errno in MISSING:
            return None
        raise
    return holder


def listen(address: str, flag: str) -> tuple[tuple[socket.socket, ...], str]:
    """Listen for HTTP on HOST:PORT, at all addresses of the host; returns the sockets and the
    address with the port in use, or raises StartupError.
    """
    host, port = split_address(address, flag)
    sockets: list[socket.socket] = []
    try:
        found = _resolve(host, port)
        for family, target in found:
            is_last = target == found[-1][-1]
            is_optional = bool(sockets) or not is_last
            if opened := _listen(family, (target, port), optional=is_optional):
                sockets.append(opened)
                port = opened.getsockname()[1]
    except (OSError, UnicodeError) as error:
        for opened in sockets:
            opened.close()
        raise StartupError(_refusal("HTTP", address, flag, error)) from error
    return tuple(sockets), f"{host}:{port}"


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Return the addresses that a name stands for, each once."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, str(target[0])) for family, *_, target in found))


def _listen(
    family: socket.AddressFamily, target: tuple[str, int], *, optional: bool
) -> socket.socket | None:
    """Listen at one address; None when it is missing and optional."""
    # As gRPC does: it stands for all addresses, those of the older kind included.
    both = target[0] == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(target, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        if optional and error.errno in MISSING:
            return None
        raise


def _refusal(what: str, address: str, flag: str, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else "it is no name of a host"
    return (
        f"{what} can't listen on {address} ({reason}): is the port taken, or the address not this "
        f"machine's? Give another {flag}"
    )
