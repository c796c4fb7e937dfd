"""TLS: who is trusted, and certificates that change while calls are made."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness import certificate
from harness.callers import BLACK, OPTIONS, calling
from harness.certificate import Certificate
from harness.scrape import value
from harness.server_process import ServerProcess, run_to_end, start_server
from harness.waiting import wait_for
from mlpserve import Client, MlpserveError, Tls, Unavailable
from server.errors import StartupError
from server.files.certificates import expiry, read_certificate, watch_certificate
from server.rpc.listening import handshake

ROTATIONS = 3

EXPIRY = "mlpserve_certificate_expiry_timestamp_seconds"
SUCCESS = "mlpserve_last_reload_successful"


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

    def shown(self) -> str:
        """Return the name in the certificate that a new connection is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority.certificate_file)
        context.set_alpn_protocols(["h2"])
        host, port = self.server.grpc_address.split(":")
        with (
            socket.create_connection((host, int(port)), timeout=60) as plain,
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
    # No line of a call that is picked by chance.
    with start_server(repository, *arguments, "--log-calls", "0") as server:
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
    found = value(secured.server, EXPIRY)
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
    with calling(secured.connect) as counts:
        counts.go_on(20)
        for number in range(ROTATIONS):
            name = f"rotated {number}"
            secured.files.replace(certificate.sign(secured.authority, secured.folder, name))
            wait_for(lambda name=name: secured.shown() == name)  # type: ignore[misc]
            counts.go_on(20)
    counts.check()
    assert counts.sent >= 20 * ROTATIONS


def test_a_bad_pair_keeps_the_old_one(secured: Secured, tmp_path: Path) -> None:
    before, failed = secured.shown(), reloads(secured.server, "failed")
    good = secured.files.key
    secured.files.key_file.write_bytes(certificate.make(tmp_path).key)
    wait_for(lambda: reloads(secured.server, "failed") > failed)
    assert secured.shown() == before
    assert value(secured.server, SUCCESS, part="certificate") == 0
    last = [line for line in secured.server.log if line.get("level") == "error"][-1]
    assert "key values mismatch" in last["error"]
    assert last["part"] == "certificate"
    with secured.connect() as client:
        assert len(client.predict(BLACK)) == 1
    secured.files.key_file.write_bytes(good)
    wait_for(lambda: value(secured.server, SUCCESS, part="certificate") == 1)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rsa-pss", "gRPC does not accept it"),
        ("ed25519", "gRPC makes no connection with it"),
    ],
)
def test_what_no_caller_would_take_replaces_nothing(
    secured: Secured, tmp_path: Path, kind: str, words: str
) -> None:
    before, failed = secured.shown(), reloads(secured.server, "failed")
    until = value(secured.server, EXPIRY)
    files, good = secured.files, (secured.files.certificate, secured.files.key)
    secured.files.replace(unusable(secured.authority, tmp_path, kind))

    def reasons() -> list[str]:
        return [
            line["error"] for line in secured.server.log if line.get("part") and "error" in line
        ]

    wait_for(lambda: any(words in reason for reason in reasons()[-1:]))
    assert reloads(secured.server, "failed") > failed
    assert value(secured.server, SUCCESS, part="certificate") == 0
    assert value(secured.server, EXPIRY) == until
    assert secured.shown() == before
    with secured.connect() as client:
        assert len(client.predict(BLACK)) == 1
    # Put back, it is in use as before.
    for file, content in zip((files.key_file, files.certificate_file), good[::-1], strict=True):
        file.write_bytes(content)
    wait_for(lambda: value(secured.server, SUCCESS, part="certificate") == 1)
    assert not any("not JSON" in line["event"] for line in secured.server.log)


def unusable(authority: Certificate, folder: Path, kind: str) -> Certificate:
    """Return a certificate with its key that gRPC's callers would not take."""
    match kind:
        case "expired":
            return certificate.sign(authority, folder, kind, days=-1)
        case "not yet":
            begin = datetime(2099, 1, 1, tzinfo=UTC)
            return certificate.make_between(folder, kind, begin, begin + timedelta(days=9))
        case "for callers":
            usage = (certificate.NAMES, "extendedKeyUsage=clientAuth")
            return certificate.sign(authority, folder, kind, extensions=usage)
        case "chain":
            between = certificate.sign(
                authority, folder, "between", days=-1, extensions=("basicConstraints=CA:TRUE",)
            )
            its = certificate.sign(between, folder, kind)
            its.certificate_file.write_bytes(its.certificate + between.certificate)
            return its
        case _:
            return certificate.make(folder, kind, key=KEYS[kind][0])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "it expired on 20"),
        ("not yet", "it is not valid before 2099-01-01 00:00:00 UTC"),
        ("for callers", "no connection can be made with it"),
        ("chain", "certificate has expired"),
    ],
)
def test_what_no_caller_would_take(tmp_path: Path, kind: str, words: str) -> None:
    its = unusable(certificate.make(tmp_path, "authority"), tmp_path, kind)
    with pytest.raises(StartupError, match=words):
        take(its)


def test_one_that_becomes_valid_is_taken_then(secured: Secured, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    soon = certificate.make_between(
        tmp_path, "soon", now + timedelta(seconds=3), now + timedelta(days=1)
    )
    secured.files.replace(soon)
    wait_for(lambda: value(secured.server, EXPIRY) == expiry(soon.certificate))
    afterwards = certificate.sign(secured.authority, secured.folder, "afterwards", days=2)
    secured.files.replace(afterwards)
    wait_for(lambda: value(secured.server, EXPIRY) == expiry(afterwards.certificate))
    assert secured.shown() == "afterwards"


KEYS: dict[str, tuple[Sequence[str], bool]] = {
    "rsa 1024": (("rsa:1024",), False),
    "rsa 2048": (("rsa:2048",), True),
    "p-256": (certificate.P_256, True),
    "p-384": (("ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"), True),
    "p-521": (("ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"), False),
    "p-224": (("ec", "-pkeyopt", "ec_paramgen_curve:secp224r1"), False),
    "secp256k1": (("ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"), False),
    "brainpool": (("ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"), False),
    "explicit": ((*certificate.P_256, "-pkeyopt", "ec_param_enc:explicit"), False),
    "rsa-pss": (("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"), False),
    "ed25519": (("ed25519",), False),
    "ed448": (("ed448",), False),
}
"""What openssl makes of each kind of key, and whether gRPC's callers take it."""


def take(its: Certificate, client_ca: Path | None = None) -> None:
    watch_certificate(its.certificate_file, its.key_file, client_ca, handshake.attempt)


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_which_kinds_can_be_used(tmp_path: Path, kind: str) -> None:
    arguments, is_good = KEYS[kind]
    its = certificate.make(tmp_path, key=arguments)
    if is_good:
        take(its)
    else:
        with pytest.raises(
            StartupError, match="RSA of 2048 to 8192 bits, or ECDSA on P-256 or P-3"
        ):
            take(its)


@pytest.mark.parametrize(
    "names",
    [
        "subjectAltName=DNS:*.example.com,DNS:example.com",
        "subjectAltName=IP:2001:db8::1",
        "subjectAltName=URI:spiffe://example.com/server",
        "extendedKeyUsage=serverAuth",
    ],
    ids=["wildcard", "address", "none but a URI", "common name"],
)
def test_any_name_will_do(tmp_path: Path, names: str) -> None:
    authority = certificate.make(tmp_path, "authority")
    take(certificate.sign(authority, tmp_path, "server", extensions=(names,)))


def test_chains_and_what_stands_around_them(tmp_path: Path) -> None:
    root = certificate.make(tmp_path, "root")
    between = certificate.sign(
        root, tmp_path, "between", extensions=("basicConstraints=critical,CA:TRUE",)
    )
    its = certificate.sign(between, tmp_path, "server")
    first, second, third = its.certificate, between.certificate, root.certificate
    for content in (
        first,
        first + second,
        first + second + third,
        # OpenSSL and BoringSSL take them in any order.
        first + third + second,
        b"subject=server\r\n\r\n" + first.replace(b"\n", b"\r\n") + b"\nissuer=between\n" + second,
    ):
        its.certificate_file.write_bytes(content)
        take(its)
    for content, words in (
        (second + first, "key values mismatch"),
        (b"\xef\xbb\xbf" + first, "server.pem begins with a byte order mark"),
        (first[:-100], "must be PEM files"),
        (b"", "must be PEM files"),
        # Nobody who knows the root alone could use it.
        (first + third, "unable to get local issuer"),
    ):
        its.certificate_file.write_bytes(content)
        with pytest.raises(StartupError, match=words) as caught:
            take(its)
        assert "\n" not in str(caught.value)


def test_authorities_of_callers_that_can_not_be_used(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old = certificate.make_between(
        tmp_path, "old", now - timedelta(days=9), now - timedelta(days=1)
    )
    its = certificate.make(tmp_path, "its")
    leaf = certificate.sign(its, tmp_path, "leaf")
    ca = tmp_path / "ca.pem"
    for content, words in (
        (old.certificate, "the authority of callers expired on 20"),
        (leaf.certificate, "contains no certificate of an authority"),
        (b"", ""),
        (its.key, ""),
        (its.certificate + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""),
    ):
        ca.write_bytes(content)
        with pytest.raises(StartupError, match=f"and the authorities {ca} can't .*{words}"):
            take(its, ca)
    # One that is good is enough.
    ca.write_bytes(old.certificate + its.certificate + leaf.certificate)
    take(its, ca)


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
                return len(client.predict(BLACK, timeout_seconds=30))

        known = Tls(trust, caller.certificate_file, caller.key_file)
        unknown = Tls(trust, stranger.certificate, stranger.key)
        assert call(known) == 1
        for tls in (Tls(trust), unknown):
            with pytest.raises(MlpserveError):
                call(tls)
        # The authority of callers is read again as well.
        done = reloads(server, "done")
        os.replace(authority.certificate_file, ca)  # noqa: PTH105
        trust = ca
        wait_for(lambda: reloads(server, "done") > done)
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
        (one.certificate_file, encrypted, None, "unencrypted"),
        (one.certificate_file, one.key_file, text, f"and the authorities {text}"),
    ):
        with pytest.raises(StartupError, match=words):
            read_certificate(chain, key, ca)


def test_server_does_not_start_with_what_can_not_be_used(repository: Path, tmp_path: Path) -> None:
    one, other = certificate.make(tmp_path, "one"), certificate.make(tmp_path, "other")
    files = ["--tls-certificate", str(one.certificate_file), "--tls-key", str(other.key_file)]
    ended = run_to_end("--repository", str(repository), *files)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"Error: the certificate {one.certificate_file} with the key")
