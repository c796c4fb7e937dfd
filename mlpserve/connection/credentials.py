"""Whom a client trusts and how it identifies: TLS and bearer tokens."""

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import grpc

from mlpserve.connection.address import is_local

Pem = str | PathLike[str] | bytes
"""A PEM file's path, or its content as bytes."""

# What RFC 6750 lets a bearer token be.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


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


def _read(pem: Pem | None) -> bytes | None:
    return pem if pem is None or isinstance(pem, bytes) else Path(pem).read_bytes()
