"""How a client reaches its server: with TLS or without, and when it may send its token."""

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
    """Whom to trust and how to identify; each is a PEM file's path, or its content as bytes.

    Parameters
    ----------
    ca
        The authorities to trust; None for those that gRPC ships with.
    certificate, key
        The client certificate, for servers that ask for one; both or neither.
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
    """Return the call metadata that carries a token.

    Raises ValueError when it is malformed, or would be sent unencrypted: when the connection is not
    `is_safe` and leaves this machine.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            "token is not a bearer token: it may hold letters, digits and . _ ~ + / -, and = at "
            "its end; is there a line end in it?"
        )
    if not is_safe and not is_local(address):
        raise ValueError(
            f"token would be sent to {address} unencrypted; give tls=, or plaintext_token=True if "
            "the network is safe"
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
