"""How a client reaches its server: TLS or not, and who may see its token."""

import ipaddress
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import grpc

Pem = str | PathLike[str] | bytes
"""A PEM file's path, or its content as bytes."""

# What RFC 6750 lets a bearer token be.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_UNIX = ("unix:", "unix-abstract:")
_SCHEME = re.compile(r"(dns:(///)?|ipv4:|ipv6:)")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust and what to show; each is a PEM file's path, or its content as bytes.

    Parameters
    ----------
    ca
        The authorities that the server's certificate may be of; None for those that gRPC knows.
    certificate, key
        What to show a server that asks for a certificate; both or neither.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise ValueError(f"tls has a {given} but no {missing}; give both or neither")

    def credentials(self) -> grpc.ChannelCredentials:
        """Return them as gRPC takes them; raises OSError when a file can't be read."""
        return grpc.ssl_channel_credentials(
            _read(self.ca), _read(self.key), _read(self.certificate)
        )


def open_channel(
    address: str, tls: Tls | None, options: list[tuple[str, int | str]]
) -> grpc.Channel:
    """Return a connection to the address, which is made with the first call."""
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls.credentials(), options=options)


def token_metadata(token: str, address: str, is_safe: bool) -> tuple[tuple[str, str], ...]:
    """Return what shows a token to the server.

    Raises ValueError when it is none, or when others could read it on its way, as they can unless
    the connection `is_safe` or stays on this machine.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            "token is not a bearer token: it may hold letters, digits and . _ ~ + / -, and = at "
            "its end; is there a line end in it?"
        )
    if not is_safe and not is_local(address):
        raise ValueError(
            f"token would travel to {address} readably; give tls=, or plaintext_token=True if the "
            "network is safe"
        )
    return (("authorization", f"Bearer {token}"),)


def is_local(address: str) -> bool:
    """Return whether a gRPC target is on this machine for certain."""
    if address.startswith(_UNIX):
        return True
    targets = _SCHEME.sub("", address, count=1).split(",")
    return all(map(_is_loopback, targets))


def _is_loopback(target: str) -> bool:
    """Return whether HOST, HOST:PORT or [IPV6]:PORT is a loopback address."""
    if target.startswith("["):
        host = target[1:].partition("]")[0]
    else:
        host = target.partition(":")[0] if target.count(":") == 1 else target
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _read(pem: Pem | None) -> bytes | None:
    return pem if pem is None or isinstance(pem, bytes) else Path(pem).read_bytes()
