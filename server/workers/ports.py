"""Takes the ports: HTTP's to answer on, gRPC's so that this server's workers alone share it."""

import errno
import socket
from dataclasses import dataclass

from server.addresses import is_socket, split_address
from server.errors import StartupError


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
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        for family, *_, target in found:
            # A name may stand for an address that this machine lacks, such as ::1.
            last = target == found[-1][-1]
            if holder := _bind(family, (target[0], port), optional=bool(sockets) or not last):
                sockets.append(holder)
                port = holder.getsockname()[1]
    except OSError as error:
        Claim(address, tuple(sockets)).close()
        raise StartupError(
            f"gRPC can't listen on {address} ({error.strerror}): is the port taken, or the address "
            f"not this machine's? Give another {flag}"
        ) from error
    return Claim(f"{host}:{port}", tuple(sockets))


def _bind(family: int, target: tuple[str | int, int], *, optional: bool) -> socket.socket | None:
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
        if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        raise
    return holder


def listen(address: str, flag: str) -> tuple[socket.socket, str]:
    """Listen for HTTP on HOST:PORT; returns the socket and its address, or raises StartupError."""
    host, port = split_address(address, flag)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        listening = socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise StartupError(
            f"HTTP can't listen on {address} ({error.strerror}): is the port taken, or the "
            f"address not this machine's? Give another {flag}"
        ) from error
    return listening, f"{host}:{listening.getsockname()[1]}"
