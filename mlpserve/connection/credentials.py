"""Whom a client trusts and how it identifies: TLS and bearer tokens."""

import os
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
_LINE_OF_SERVER = re.compile(r"[A-Za-z0-9._-]+\s*:\s*\S+")
_CERTIFICATE, _KEY = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"


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
        """Return them as gRPC takes them; raises OSError when a file can't be read, and ValueError
        when it holds something else.
        """
        return grpc.ssl_channel_credentials(
            _read("ca", self.ca, _CERTIFICATE),
            _read("key", self.key, _KEY),
            _read("certificate", self.certificate, _CERTIFICATE),
        )


def check_tls(tls: object) -> None:
    """Raise TypeError for what is neither Tls nor None."""
    if not (tls is None or isinstance(tls, Tls)):
        raise TypeError(
            f"tls is {tls!r:.100}; give mlpserve.Tls(), or mlpserve.Tls(ca=FILE) for an authority "
            "of your own"
        )


def token_metadata(token: str, address: str, is_safe: bool) -> tuple[tuple[str, str], ...]:
    """Return the call metadata that carries a token.

    Raises ValueError when it is malformed, or would be sent unencrypted: when the connection is not
    `is_safe` and leaves this machine; TypeError when it is not a text.
    """
    if (fault := fault_of_token(token)) is not None:
        raise fault
    if not is_safe and not is_local(address):
        raise ValueError(
            f"token would be sent to {address} unencrypted; give tls=, or plaintext_token=True if "
            "the network is safe"
        )
    return (("authorization", f"Bearer {token}"),)


def fault_of_token(token: object) -> ValueError | TypeError | None:
    """Return what is wrong with a token and what to do, without anything of its content."""
    if not isinstance(token, str):
        what = f"token is of the type {type(token).__name__}"
        return TypeError(f"{what}; give text, such as pathlib.Path(FILE).read_text().strip()")
    if _TOKEN.fullmatch(token):
        return None
    text = token.strip()
    if not text:
        remedy = "it is empty; give one of the server's tokens"
    elif text.lower().startswith("bearer "):
        remedy = "leave out the word Bearer before it, which is added"
    elif _LINE_OF_SERVER.fullmatch(text):
        remedy = "it looks like a line of the server's own file; give what follows the colon alone"
    elif _TOKEN.fullmatch(text):
        remedy = "it has spaces or a line end around it; leave these out, such as by .strip()"
    else:
        remedy = "it may hold letters, digits and . _ ~ + / -, and = at its end"
    return ValueError(f"token is not a bearer token: {remedy}")


def _read(name: str, pem: Pem | None, wanted: bytes) -> bytes | None:
    """Return the content of a PEM file, which must hold a certificate or a key."""
    if pem is None:
        return None
    where = "" if isinstance(pem, bytes) else f" {os.fspath(pem)}"
    try:
        content = pem if isinstance(pem, bytes) else Path(pem).read_bytes()
    except OSError as error:
        raise type(error)(error.errno, f"{name} can't be read: {error.strerror}", pem) from error
    if wanted not in content:
        what = "private key" if wanted is _KEY else "certificate"
        raise ValueError(f"{name}{where} has no {what} in it; give a PEM file with one")
    return content
