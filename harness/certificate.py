"""Certificates for tests, from openssl."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

P_256 = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


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

    def replace(self, new: "Certificate") -> None:
        """Put another certificate in place; for a moment the key doesn't fit it."""
        for content, file in (
            (new.certificate, self.certificate_file),
            (new.key, self.key_file),
        ):
            temporary = file.with_suffix(".new")
            temporary.write_bytes(content)
            temporary.chmod(0o600)
            temporary.replace(file)


def make(
    folder: Path, name: str = "certificate", days: int = 1, key: Sequence[str] = P_256
) -> Certificate:
    """Return a new certificate for localhost that is its own authority; needs openssl."""
    its = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-addext", NAMES),
        *("-days", str(days), "-keyout", its.key_file, "-out", its.certificate_file),
    )
    its.key_file.chmod(0o600)
    return its


def sign(
    authority: Certificate,
    folder: Path,
    name: str,
    days: int = 1,
    extensions: Sequence[str] = (NAMES,),
) -> Certificate:
    """Return a new certificate for localhost by the authority, good for a server or a caller unless
    the extensions say otherwise.

    With -1 `days` it has expired a day before.
    """
    its, request, extensions_file = _request(folder, name, extensions)
    _openssl(
        *("x509", "-req", "-in", request, "-days", str(days), "-CAcreateserial"),
        *("-CA", authority.certificate_file, "-CAkey", authority.key_file),
        *("-extfile", extensions_file, "-out", its.certificate_file),
    )
    return its


def make_between(folder: Path, name: str, begin: datetime, end: datetime) -> Certificate:
    """Return a certificate that is its own authority, for localhost and for a time."""
    its, request, extensions = _request(folder, name, (NAMES, "basicConstraints=CA:TRUE"))
    index, settings = folder / f"{name}.index", folder / f"{name}.cnf"
    index.touch()
    settings.write_text(
        f"[ca]\ndefault_ca=one\n[one]\ndatabase={index}\nnew_certs_dir={folder}\n"
        "rand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n"
    )
    _openssl(
        *("ca", "-batch", "-config", settings, "-in", request, "-out", its.certificate_file),
        *("-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}", "-notext"),
        *("-selfsign", "-keyfile", its.key_file, "-extfile", extensions),
    )
    return its


def _request(folder: Path, name: str, extensions: Sequence[str]) -> tuple[Certificate, Path, Path]:
    """Make a key; returns where its certificate will be, a request for it, and its extensions."""
    its = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, file = folder / f"{name}.request", folder / f"{name}.extensions"
    made = ("-nodes", "-subj", f"/CN={name}", "-keyout", its.key_file, "-out", request)
    _openssl("req", "-newkey", *P_256, *made)
    its.key_file.chmod(0o600)
    file.write_text("\n".join(extensions) + "\n")
    return its, request, file


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
