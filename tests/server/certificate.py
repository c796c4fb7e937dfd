"""Certificates for tests, from openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate_file: Path
    key_file: Path

    @property
    def certificate(self) -> bytes:
        """The certificate's content."""
        return self.certificate_file.read_bytes()

    @property
    def key(self) -> bytes:
        """The key's content."""
        return self.key_file.read_bytes()


def make(folder: Path, name: str = "certificate", days: int = 1) -> Certificate:
    """Return a new certificate for localhost that is its own authority; needs openssl."""
    its = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    out: list[str | Path] = [
        "-days",
        str(days),
        "-keyout",
        its.key_file,
        "-out",
        its.certificate_file,
    ]
    _openssl("req", "-x509", *_KEY, *subject, *out)
    its.key_file.chmod(0o600)
    return its


def sign(authority: Certificate, folder: Path, name: str, days: int = 1) -> Certificate:
    """Return a new certificate for localhost by the authority, good for a server or a caller."""
    its = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.request", folder / f"{name}.extensions"
    _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", its.key_file, "-out", request)
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    by: list[str | Path] = [
        "-CA",
        authority.certificate_file,
        "-CAkey",
        authority.key_file,
        "-CAcreateserial",
    ]
    out: list[str | Path] = [
        "-days",
        str(days),
        "-extfile",
        extensions,
        "-out",
        its.certificate_file,
    ]
    _openssl("x509", "-req", "-in", request, *by, *out)
    its.key_file.chmod(0o600)
    return its


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
