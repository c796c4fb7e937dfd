"""The server's certificate and key, and the authorities of callers' certificates."""

import base64
import codecs
import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server.errors import StartupError
from server.files.watched_files import TryLater, WatchedFiles, warn_if_readable
from server.telemetry import metrics

PART = "certificate"

KEYS = "RSA of 2048 to 8192 bits, or ECDSA on P-256 or P-384"
"""The keys that gRPC servers and clients support, as the tests have found out."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What TLS needs, as PEM; `client_ca` is None if callers need no certificate."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def watch_certificate(
    certificate: Path, key: Path, client_ca: Path | None, check: Callable[[Certificate], None]
) -> WatchedFiles[Certificate]:
    """Return the files, read and checked, with the expiry as a metric; raises StartupError.

    `check` raises CertificateError for files that look valid but can't be used.
    """
    paths = (certificate, key) if client_ca is None else (certificate, key, client_ca)

    def read() -> Certificate:
        content = read_certificate(certificate, key, client_ca)
        try:
            check(content)
        except CertificateError as error:
            raise error.of(certificate, key, client_ca) from error
        return content

    def tell(content: Certificate) -> None:
        metrics.CERTIFICATE_EXPIRY.labels(str(certificate)).set(expiry(content.certificate))

    return WatchedFiles(PART, paths, read, tell)


class CertificateError(Exception):
    """A certificate can't be used; the message says why.

    `retry_time` is when the same files may become usable, by time.time; None for never.
    """

    def __init__(self, message: str, remedy: str, retry_time: float | None = None) -> None:
        super().__init__(message)
        self.remedy, self.retry_time = remedy, retry_time

    def of(self, certificate: Path, key: Path, client_ca: Path | None) -> StartupError:
        """Return it as an error that names the files."""
        files = f"the certificate {certificate} with the key {key}"
        if client_ca is not None:
            files += f" and the authorities {client_ca}"
        message = f"{files} can't be used ({self}); {self.remedy}"
        if self.retry_time is None:
            return StartupError(message)
        return TryLater(message, self.retry_time)


def read_certificate(certificate: Path, key: Path, client_ca: Path | None) -> Certificate:
    """Return the files' content.

    Raises StartupError when a file can't be read or used, the key belongs to another certificate,
    or the certificate or all authorities have expired; TryLater when they are not valid yet.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
        context.load_cert_chain(certificate, key, password="")
        content = Certificate(
            certificate.read_bytes(),
            key.read_bytes(),
            None if client_ca is None else client_ca.read_bytes(),
        )
        warn_if_readable(key)
        for path in filter(None, (certificate, key, client_ca)):
            if path.read_bytes().startswith(codecs.BOM_UTF8):
                raise CertificateError(
                    f"{path} begins with a byte order mark", "save it as plain text without one"
                )
        _check_time("it", *validity(content.certificate))
        if client_ca is not None:
            _check_authorities(client_ca)
    except CertificateError as error:
        raise error.of(certificate, key, client_ca) from error
    except (OSError, ValueError, IndexError, StopIteration) as error:
        # ssl.SSLError is an OSError, too, and does not name the file.
        remedy = (
            f"they must be PEM files, with the unencrypted key of the first certificate, of {KEYS}"
        )
        raise CertificateError(_reason(error), remedy).of(certificate, key, client_ca) from error
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.replace("_", " ").lower() if error.reason else str(error)
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _check_time(what: str, begin: float, end: float) -> None:
    """Raise CertificateError unless now is between two times."""
    now = time.time()
    if now > end:
        raise CertificateError(
            f"{what} expired on {_date(end)}",
            "callers would reject it; give one that is valid",
        )
    if now < begin:
        raise CertificateError(
            f"{what} is not valid before {_date(begin)}",
            "callers would reject it until then; give one that is valid now, or set the clock",
            begin,
        )


def _check_authorities(client_ca: Path) -> None:
    """Raise CertificateError unless the file contains a valid certificate of an authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(client_ca)
    # This lists authorities only.
    validities = [
        (ssl.cert_time_to_seconds(str(ca["notBefore"])), ssl.cert_time_to_seconds(str(ca[_END])))
        for ca in context.get_ca_certs()
    ]
    if not validities:
        raise CertificateError(
            f"{client_ca} contains no certificate of an authority",
            "give those of the authorities that sign the callers' certificates",
        )
    now = time.time()
    if not any(begin <= now <= end for begin, end in validities):
        # The one that expires last, so that the message is about the newest.
        _check_time("the authority of callers", *max(validities, key=lambda times: times[1]))


_END = "notAfter"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def expiry(pem: bytes) -> float:
    """Return when the first certificate of a PEM file expires, in seconds since 1970."""
    _, end = validity(pem)
    return end


def validity(pem: bytes) -> tuple[float, float]:
    """Return when the validity of the first certificate of a PEM file begins and ends, in seconds
    since 1970.

    Python's ssl module shows these dates only for a peer's certificate. By RFC 5280,
    section 4.1, a certificate is SEQUENCE { SEQUENCE { [0] version, serial number, signature,
    issuer, SEQUENCE { not before, not after }, subject, ... }, ... }, where the version may be
    absent.
    """
    begin, end = _elements(_fields(split(pem)[0])[3])
    return _seconds(*begin), _seconds(*end)


def is_self_signed(pem: bytes) -> bool:
    """Whether the first certificate of a PEM file names itself as its authority."""
    fields = _fields(split(pem)[0])
    return fields[2] == fields[4]


def split(pem: bytes) -> list[bytes]:
    """Return the certificates of a PEM file, as PEM."""
    return [found[0] for found in _CERTIFICATE.finditer(pem)]


_CERTIFICATE = re.compile(
    rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL
)
_VERSION, _UTC_TIME = 0xA0, 0x17


def _fields(pem: bytes) -> list[bytes]:
    """Return the contents of a certificate's fields, from the serial number on."""
    match = _CERTIFICATE.search(pem)
    _, whole = next(_elements(base64.b64decode(match[2] if match else b"")))
    _, signed = next(_elements(whole))
    return [content for tag, content in _elements(signed) if tag != _VERSION]


def _seconds(tag: int, text: bytes) -> float:
    if tag == _UTC_TIME:
        # Two-digit years stand for 1950 to 2049.
        text = (b"19" if text >= b"50" else b"20") + text
    return datetime.strptime(text.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of consecutive DER elements."""
    position = 0
    while position < len(content):
        tag, size = content[position], content[position + 1]
        position += 2
        if size >= 0x80:
            # A longer length: this byte says how many bytes it takes.
            start, position = position, position + (size & 0x7F)
            size = int.from_bytes(content[start:position])
        yield tag, content[position : position + size]
        position += size
