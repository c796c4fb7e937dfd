"""The server's certificate: shown to HTTP's callers, and expected at the gRPC port."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from server.errors import StartupError
from server.files.certificates import PART, Certificate, read_certificate, split
from server.files.hostnames import names_of
from server.files.reload_registry import WATCH_SECONDS
from server.files.watched_files import WatchedFiles

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificate, a context in which it is shown, and the host names in it."""

    certificate: Certificate
    context: ssl.SSLContext
    names: tuple[str, ...]


class Identities:
    """The newest certificate that was read, and the one before it: workers read their files some
    moments earlier or later, and one that they refuse stays unused.
    """

    def __init__(self) -> None:
        self.known: tuple[Identity, ...] = ()

    def take(self, identity: Identity) -> None:
        """Take another one; for any thread."""
        self.known = (identity, *self.known[:1])

    @property
    def are_asked_for(self) -> bool:
        """Whether callers of the gRPC port must have a certificate."""
        return any(identity.certificate.client_ca is not None for identity in self.known)


def watch_identity(
    certificate: Path, key: Path, client_ca: Path | None, identities: Identities
) -> WatchedFiles[Identity]:
    """Return the files, read; raises StartupError. What they say, now and later, goes to
    `identities`.
    """
    paths = tuple(filter(None, (certificate, key, client_ca)))
    read = partial(_read, certificate, key, client_ca)
    return WatchedFiles(PART, paths, read, identities.take)


async def follow(
    files: WatchedFiles[Identity] | None, read: Callable[[], WatchedFiles[Identity]]
) -> None:
    """Read the files again when they change, for ever; None are files that could not be read yet.

    Workers log why, and what they do without.
    """
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            if files is None:
                files = await asyncio.to_thread(read)
            else:
                await asyncio.to_thread(files.refresh)
        except StartupError:
            continue
        except Exception:
            # Without this task no certificate would ever be read again.
            log.exception("checking files for changes failed")


def newest(files: WatchedFiles[Identity]) -> ssl.SSLContext:
    """Return a context to listen with, in which each new connection is shown the newest
    certificate.
    """
    context = files.content.context

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = files.content.context

    context.sni_callback = choose
    return context


def _read(certificate: Path, key: Path, client_ca: Path | None) -> Identity:
    content = read_certificate(certificate, key, client_ca)
    try:
        context = _context(content, certificate, key, client_ca)
    except OSError as error:
        raise StartupError(f"{certificate} changed while it was read; try again") from error
    return Identity(content, context, _names(content, context))


def _context(
    content: Certificate, certificate: Path, key: Path, client_ca: Path | None = None
) -> ssl.SSLContext:
    """Return a context in which the certificate is shown. Python takes it from files only; that
    these have not changed meanwhile is for WatchedFiles to see.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password="")
    context.set_alpn_protocols(["http/1.1"])
    # A session that is taken up again would keep a certificate that is no longer accepted.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if content.client_ca is not None:
        context.load_verify_locations(client_ca)
        # As in gRPC.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        # Probes have none; the APIs demand one.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _names(content: Certificate, context: ssl.SSLContext) -> tuple[str, ...]:
    """Return the host names of a certificate, which Python shows only to whoever connects."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=leaf(content).decode("ascii"))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there)
    server = context.wrap_bio(there, back, server_side=True)
    peer: Any = None
    try:
        for side in (client, server, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        peer = client.getpeercert()
    except (ssl.SSLError, ValueError):
        # Workers say what is wrong with it.
        return ()
    return tuple(names_of(peer or {}))


def leaf(content: Certificate) -> bytes:
    """Return the first certificate, which is the server's own."""
    return split(content.certificate)[0]
