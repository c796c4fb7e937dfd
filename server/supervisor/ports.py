"""Takes the ports: HTTP's to listen on, gRPC's to reserve it for this server's workers."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from server.errors import StartupError
from server.settings.addresses import is_socket, split_address

MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
BACKLOG = 1024
"""Connections that may wait while HTTP's process is replaced; the system may allow fewer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A port that only the workers of this parent can share, as long as `sockets` are open."""

    address: str
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        """Let others have the port."""
        for holder in self.sockets:
            holder.close()


def claim(address: str, flag: str) -> Claim:
    """Take HOST:PORT for the workers; port 0 becomes a free one.

    A Unix-domain socket is left to the worker. Raises StartupError when the port is taken.
    """
    if is_socket(address):
        return Claim(address, ())
    return Claim(*_open_all("gRPC", address, flag, _bind))


def listen(address: str, flag: str) -> tuple[tuple[socket.socket, ...], str]:
    """Listen for HTTP on HOST:PORT, at all addresses of the host; returns the sockets and the
    address with the port in use, or raises StartupError.
    """
    address, sockets = _open_all("HTTP", address, flag, _listen)
    return sockets, address


def _open_all(
    what: str,
    address: str,
    flag: str,
    open_one: Callable[[socket.AddressFamily, tuple[str, int]], socket.socket],
) -> tuple[str, tuple[socket.socket, ...]]:
    """Open a socket for each IP address of a host, on the same port; returns HOST:PORT, too."""
    host, port = split_address(address, flag)
    sockets: list[socket.socket] = []
    try:
        resolved = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        targets = list(dict.fromkeys((family, str(target[0])) for family, *_, target in resolved))
        for number, (family, ip) in enumerate(targets, start=1):
            try:
                sockets.append(open_one(family, (ip, port)))
            except OSError as error:
                # A name may stand for an address that this machine lacks, such as ::1.
                if error.errno not in MISSING or not (sockets or number < len(targets)):
                    raise
            else:
                port = sockets[-1].getsockname()[1]
    except (OSError, UnicodeError) as error:
        for opened in sockets:
            opened.close()
        reason = error.strerror if isinstance(error, OSError) else "it is not a host name"
        raise StartupError(
            f"{what} can't listen on {address} ({reason}): is the port taken, or the address not "
            f"this machine's? Give another {flag}"
        ) from error
    return f"{host}:{port}", tuple(sockets)


def _bind(family: socket.AddressFamily, target: tuple[str, int]) -> socket.socket:
    """Hold an address and port without listening."""
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections that are left of another server must not keep this one away.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(target)
        # Bound exclusively, and shared from now on with those that ask for it, the workers: another
        # parent asks for an exclusive port, as above, and does not get it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        holder.close()
        raise
    return holder


def _listen(family: socket.AddressFamily, target: tuple[str, int]) -> socket.socket:
    # As in gRPC, :: stands for all addresses, IPv4 included.
    both = target[0] == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(target, family=family, backlog=BACKLOG, dualstack_ipv6=both)
