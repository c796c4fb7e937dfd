"""Certificates for tests, from openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for localhost that is its own authority, and its key, as PEM."""

    certificate: bytes
    key: bytes


def make(folder: Path) -> Certificate:
    """Return a new certificate; needs the program openssl."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", *options, *subject, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return Certificate(certificate.read_bytes(), key.read_bytes())
