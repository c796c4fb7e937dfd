"""TLS: who is trusted, and certificates that change while calls are made."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlpserve import Client, MlpserveError, Tls, Unavailable
from server.certificates import expiry, read_certificate
from server.errors import StartupError
from tests.server import certificate
from tests.server.certificate import Certificate
from tests.server.connecting import BLACK, OPTIONS, load
from tests.server.scrape import value
from tests.server.waiting import wait_for
from tests.server_process import ServerProcess, run_to_end, start_server

ROTATIONS = 8


@dataclass(frozen=True, slots=True)
class Secured:
    """A server with TLS, the authority of its certificates, and the files that it reads."""

    server: ServerProcess
    authority: Certificate
    folder: Path
    files: Certificate

    def connect(self) -> Client:
        trust = Tls(ca=self.authority.certificate_file)
        return Client(self.server.grpc_address, tls=trust, options=OPTIONS)

    def replace(self, new: Certificate) -> None:
        """Put another certificate in place; for a moment the key doesn't fit it."""
        for content, file in (
            (new.certificate, self.files.certificate_file),
            (new.key, self.files.key_file),
        ):
            temporary = file.with_suffix(".new")
            temporary.write_bytes(content)
            temporary.chmod(0o600)
            temporary.replace(file)

    def shown(self) -> str:
        """Return the name in the certificate that a new connection is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority.certificate_file)
        context.set_alpn_protocols(["h2"])
        host, port = self.server.grpc_address.split(":")
        with (
            socket.create_connection((host, int(port)), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            found = secure.getpeercert()
        assert found is not None
        return dict(pairs[0] for pairs in found["subject"])["commonName"]  # type: ignore[misc, union-attr, call-overload, unused-ignore]


@pytest.fixture(scope="module")
def secured(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = certificate.make(folder, "authority")
    files = certificate.sign(authority, folder, "first", days=3)
    arguments = ["--tls-certificate", str(files.certificate_file), "--tls-key", str(files.key_file)]
    with start_server(repository, *arguments) as server:
        yield Secured(server, authority, folder, files)


def reloads(server: ServerProcess, outcome: str) -> float:
    return value(server, "mlpserve_reloads_total", part="certificate", outcome=outcome)


def test_calls_over_tls(secured: Secured) -> None:
    with secured.connect() as client:
        assert client.is_ready()
        assert len(client.predict(BLACK)) == 1


def test_calls_without_tls_or_trust_get_nowhere(secured: Secured, tmp_path: Path) -> None:
    address = secured.server.grpc_address
    stranger = certificate.make(tmp_path)
    for tls in (None, Tls(), Tls(ca=stranger.certificate)):
        with Client(address, tls=tls, options=OPTIONS) as client, pytest.raises(Unavailable):
            client.predict(BLACK, timeout_seconds=10)
    # Whoever knocks must not be able to fill the log.
    assert {line["event"] for line in secured.server.log} == {"model loaded", "serving"}


def test_expiry_is_published(secured: Secured) -> None:
    found = value(secured.server, "mlpserve_certificate_expiry_timestamp_seconds")
    assert found == expiry(secured.files.certificate)
    assert time.time() < found < time.time() + 3 * 86_400


@pytest.mark.parametrize("days", [1, 20_000], ids=["two-digit year", "four-digit year"])
def test_expiry_is_what_openssl_reads(tmp_path: Path, days: int) -> None:
    its = certificate.make(tmp_path, days=days)
    command: list[str | Path] = [
        "openssl",
        "x509",
        "-noout",
        "-enddate",
        "-in",
        its.certificate_file,
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert expiry(its.certificate) == ssl.cert_time_to_seconds(shown.strip().partition("=")[2])


def test_rotation_under_load_fails_no_call(secured: Secured) -> None:
    with load(secured.connect) as counts:
        counts.wait_for_more(20)
        for number in range(ROTATIONS):
            name = f"rotated {number}"
            secured.replace(certificate.sign(secured.authority, secured.folder, name))
            assert secured.shown() == name
            counts.wait_for_more(20)
    assert not counts.failed
    assert counts.lost == 0
    assert counts.answered == counts.sent >= 20 * ROTATIONS


def test_a_bad_pair_keeps_the_old_one(secured: Secured, tmp_path: Path) -> None:
    before, failed = secured.shown(), reloads(secured.server, "failed")
    good = secured.files.key
    secured.files.key_file.write_bytes(certificate.make(tmp_path).key)
    assert secured.shown() == before
    wait_for(lambda: reloads(secured.server, "failed") > failed)
    success = "mlpserve_last_reload_successful"
    assert value(secured.server, success, part="certificate") == 0
    last = [line for line in secured.server.log if line.get("level") == "error"][-1]
    assert "key values mismatch" in last["reason"]
    assert last["part"] == "certificate"
    with secured.connect() as client:
        assert len(client.predict(BLACK)) == 1
    secured.files.key_file.write_bytes(good)
    wait_for(lambda: value(secured.server, success, part="certificate") == 1)


def test_sighup_reads_the_certificate_again(secured: Secured) -> None:
    # Neither time nor size nor place of the files changes, so that only the signal tells.
    done = reloads(secured.server, "done")
    secured.server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: reloads(secured.server, "done") == done + 1)
    with secured.connect() as client:
        assert len(client.predict(BLACK)) == 1


def test_mutual_tls(repository: Path, tmp_path: Path) -> None:
    authority = certificate.make(tmp_path, "authority")
    its = certificate.sign(authority, tmp_path, "server")
    callers = certificate.make(tmp_path, "callers")
    caller = certificate.sign(callers, tmp_path, "caller")
    stranger = certificate.sign(authority, tmp_path, "stranger")
    arguments = ["--tls-certificate", str(its.certificate_file), "--tls-key", str(its.key_file)]
    ca = tmp_path / "ca.pem"
    shutil.copy(callers.certificate_file, ca)
    trust = authority.certificate_file
    with start_server(repository, *arguments, "--tls-client-ca", str(ca)) as server:

        def call(tls: Tls) -> int:
            with Client(server.grpc_address, tls=tls, options=OPTIONS) as client:
                return len(client.predict(BLACK, timeout_seconds=10))

        known = Tls(trust, caller.certificate_file, caller.key_file)
        unknown = Tls(trust, stranger.certificate, stranger.key)
        assert call(known) == 1
        for tls in (Tls(trust), unknown):
            with pytest.raises(MlpserveError):
                call(tls)
        # The authority of callers is read again as well.
        os.replace(authority.certificate_file, ca)  # noqa: PTH105
        trust = ca
        assert call(Tls(trust, stranger.certificate, stranger.key)) == 1
        with pytest.raises(MlpserveError):
            call(Tls(trust, caller.certificate_file, caller.key_file))


def test_files_that_can_not_be_used(tmp_path: Path) -> None:
    one, other = certificate.make(tmp_path, "one"), certificate.make(tmp_path, "other")
    encrypted, text, none = tmp_path / "encrypted", tmp_path / "text", tmp_path / "none"
    text.write_text("no PEM")
    command: list[str | Path] = [
        "openssl",
        "pkey",
        "-in",
        one.key_file,
        "-aes256",
        "-passout",
        "pass:secret",
    ]
    subprocess.run([*command, "-out", encrypted], check=True, capture_output=True)
    for chain, key, ca, words in (
        (one.certificate_file, other.key_file, None, "key values mismatch"),
        (one.certificate_file, none, None, "No such file"),
        (text, one.key_file, None, "must be PEM files"),
        (one.certificate_file, encrypted, None, "not encrypted"),
        (one.certificate_file, one.key_file, text, f"and the authorities {text}"),
    ):
        with pytest.raises(StartupError, match=words):
            read_certificate(chain, key, ca)


def test_server_does_not_start_with_a_key_that_does_not_fit(
    repository: Path, tmp_path: Path
) -> None:
    one, other = certificate.make(tmp_path, "one"), certificate.make(tmp_path, "other")
    files = ["--tls-certificate", str(one.certificate_file), "--tls-key", str(other.key_file)]
    ended = run_to_end("--repository", str(repository), *files)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"Error: the certificate {one.certificate_file} with the key")
