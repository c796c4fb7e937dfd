"""The certificate that the server shows, its key, and whose certificates callers must show."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server import metrics
from server.errors import StartupError
from server.reloading import Files, warn_if_readable

PART = "certificate"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What TLS needs, as PEM; `client_ca` is None when callers show nothing."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def watch_certificate(certificate: Path, key: Path, client_ca: Path | None) -> Files[Certificate]:
    """Return the files, read; raises StartupError."""
    paths = (certificate, key) if client_ca is None else (certificate, key, client_ca)
    return Files(PART, paths, lambda: read_certificate(certificate, key, client_ca))


def read_certificate(certificate: Path, key: Path, client_ca: Path | None) -> Certificate:
    """Return the files' content and publish when the certificate expires.

    Raises StartupError when a file can't be read or used, or the key is another certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # With no password given, OpenSSL would ask for that of an encrypted key on the terminal.
        context.load_cert_chain(certificate, key, password="")
        if client_ca is not None:
            context.load_verify_locations(client_ca)
        content = Certificate(
            certificate.read_bytes(),
            key.read_bytes(),
            None if client_ca is None else client_ca.read_bytes(),
        )
        warn_if_readable(key)
        metrics.CERTIFICATE_EXPIRY.labels(str(certificate)).set(expiry(content.certificate))
    except (OSError, ValueError, IndexError) as error:
        # ssl.SSLError is an OSError as well, and says nothing of the file.
        files = f"the certificate {certificate} with the key {key}"
        if client_ca is not None:
            files += f" and the authorities {client_ca}"
        raise StartupError(
            f"{files} can't be used ({_reason(error)}); they must be PEM files, the key that of "
            "the first certificate and not encrypted"
        ) from error
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.replace("_", " ").lower() if error.reason else str(error)
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def expiry(pem: bytes) -> float:
    """Return when the first certificate of a PEM file expires, in seconds since 1970.

    Python's ssl module can check certificates, but shows the dates of a peer's only. By RFC 5280,
    section 4.1, a certificate is SEQUENCE { SEQUENCE { [0] version, serial number, signature,
    issuer, SEQUENCE { not before, not after }, ... }, ... }, where the version may be absent.
    """
    text = pem.decode("ascii", "replace")
    begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    first = text[text.index(begin) : text.index(end) + len(end)]
    ((_, whole),) = _elements(ssl.PEM_cert_to_DER_cert(first))
    _, signed = next(_elements(whole))
    fields = [content for tag, content in _elements(signed) if tag != _VERSION]
    _, (tag, not_after) = _elements(fields[3])
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(not_after.decode(), form).replace(tzinfo=UTC).timestamp()


_VERSION, _UTC_TIME = 0xA0, 0x17


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the DER elements that follow each other."""
    position = 0
    while position < len(content):
        tag, size = content[position], content[position + 1]
        position += 2
        if size >= 0x80:
            # The length is too long for a byte, which says how many bytes it takes instead.
            start, position = position, position + (size & 0x7F)
            size = int.from_bytes(content[start:position])
        yield tag, content[position : position + size]
        position += size
