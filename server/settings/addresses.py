"""Addresses, as the settings give them: HOST:PORT, or a Unix-domain socket."""

import ipaddress

from server.errors import StartupError

UNIX = "unix:"
UNIX_ABSTRACT = "unix-abstract:"

LOOPBACK = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104
"""Addresses that stand for all of a machine, and the one that a process on it can connect to."""


def split_address(address: str, flag: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[ipv6]:port"; raises StartupError naming the flag."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise StartupError(
            f"can't listen on {address}: it is not HOST:PORT with a port from 0 to 65535; "
            f"give {flag} HOST:PORT, such as 127.0.0.1:50051"
        )
    if "/" in host:
        raise StartupError(
            f"can't listen on {address}: it is a URL; give {flag} {host.rpartition('/')[2]}:{port}"
        )
    return host, int(port)


def is_socket(address: str) -> bool:
    """Whether the address is a Unix-domain socket."""
    return address.startswith((UNIX, UNIX_ABSTRACT))


def is_local(address: str) -> bool:
    """Whether only callers on this machine can reach the address."""
    if is_socket(address):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reachable(address: str) -> str:
    """Return where a process of this machine reaches what listens on an address."""
    if is_socket(address):
        return address
    host, colon, port = address.rpartition(":")
    return f"{LOOPBACK.get(host, host)}{colon}{port}"
