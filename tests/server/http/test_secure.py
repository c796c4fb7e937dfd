"""HTTP over TLS, with gRPC's certificate: who is answered, and what changes at run time."""

import contextlib
import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from harness import certificate
from harness.certificate import Certificate
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.command.commands import mlpserve
from server.http.connections import greeting
from server.settings.addresses import split_address
from tests.server.test_health_command import health

PIXELS = {"pixels": [0.5] * 784}
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Secured:
    """A server with HTTP over TLS, the authority of all certificates, and the server's own."""

    server: ServerProcess
    authority: Certificate
    files: Certificate
    folder: Path

    def client(self, own: Certificate | None = None) -> httpx.Client:
        """Return a client that trusts the authority, and may present a certificate."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate_file))
        if own is not None:
            context.load_cert_chain(own.certificate_file, own.key_file)
        port = split_address(self.server.http_address, "")[1]
        url = f"https://localhost:{port}"
        return httpx.Client(base_url=url, verify=context, timeout=PATIENCE_SECONDS)

    def shown(self) -> str:
        """Return the common name that a new connection to HTTP is shown."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate_file))
        address = split_address(self.server.http_address, "")
        with (
            socket.create_connection(address, PATIENCE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return json.dumps(secure.getpeercert())


@contextlib.contextmanager
def start(repository: Path, folder: Path, *more: str, mutual: bool = False) -> Iterator[Secured]:
    authority = certificate.make(folder, "authority")
    files = certificate.sign(authority, folder, "first")
    arguments = ["--tls-certificate", str(files.certificate_file), "--tls-key", str(files.key_file)]
    if mutual:
        arguments += ["--tls-client-ca", str(authority.certificate_file)]
    with start_server(repository, *arguments, "--log-calls", "0", *more) as server:
        yield Secured(server, authority, files, folder)


@pytest.fixture(scope="module")
def secured(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    with start(repository, folder, "--http-tls", "on") as found:
        yield found


@pytest.fixture(scope="module")
def mutual(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("mutual")
    with start(repository, folder, "--http-tls", "on", mutual=True) as found:
        yield found


def test_all_is_answered_over_tls(secured: Secured) -> None:
    with secured.client() as client:
        for path in ("/", "/watch", "/metrics", "/healthz", "/readyz", "/v1/models"):
            assert client.get(path).status_code == 200
        answer = client.post("/v1/predict", json=PIXELS)
    assert answer.json()["labels"] == [8]
    (serving,) = (line for line in secured.server.log if line["event"] == "serving")
    for name in ("page", "watch"):
        assert serving[name].startswith("https://")


def test_who_does_not_speak_tls_is_let_go(secured: Secured) -> None:
    logged = len(secured.server.log)
    with socket.create_connection(split_address(secured.server.http_address, "")) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert not connection.recv(100).startswith(b"HTTP")
    assert secured.server.log[logged:] == [], "nobody can fill the log"


def test_silent_connections_hinder_nobody(secured: Secured) -> None:
    address = split_address(secured.server.http_address, "")
    with contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address, PATIENCE_SECONDS))
            for _ in range(2 * greeting.MAX_GREETINGS)
        ]
        with secured.client() as client:
            assert client.get("/readyz").status_code == 200
        for connection in silent:
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b"", "nobody may be silent for ever"


def test_another_certificate_is_shown_and_trusted(secured: Secured) -> None:
    def is_shown(name: str) -> bool:
        return name in secured.shown()

    def is_answered(client: httpx.Client) -> bool:
        return client.post("/v1/predict", json=PIXELS).status_code == 200

    names = ("subjectAltName=DNS:localhost,DNS:other.example",)
    for name, extensions in (("second", (certificate.NAMES,)), ("third", names)):
        new = certificate.sign(secured.authority, secured.folder, name, extensions=extensions)
        secured.files.replace(new)
        wait_for(partial(is_shown, name))
        with secured.client() as client:
            # Workers may read theirs some moments later.
            wait_for(partial(is_answered, client))
    before = secured.shown()
    secured.files.key_file.write_bytes(b"nonsense")
    wait_for(
        lambda: any(
            line["event"].startswith("reload failed") and line.get("process") == "http"
            for line in secured.server.log
        )
    )
    assert secured.shown() == before
    with secured.client() as client:
        assert client.post("/v1/predict", json=PIXELS).status_code == 200


def test_the_health_command_asks_over_tls(secured: Secured) -> None:
    arguments = ("--http-address", secured.server.http_address, "--http-tls", "on")
    assert health(*arguments) == (0, "ready")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ca", "AUTHORITY"], "1 of 1 workers ready"),
        ([], "closes the connection; does it speak TLS? Give --tls, or --ca FILE"),
        (["--tls"], "its certificate is not trusted"),
        (["--ca", "KEY"], "has no certificate"),
    ],
)
def test_top_reads_over_tls(secured: Secured, options: list[str], words: str) -> None:
    files = {
        "AUTHORITY": str(secured.authority.certificate_file),
        "KEY": str(secured.authority.key_file),
    }
    given = [files.get(option, option) for option in options]
    port = split_address(secured.server.http_address, "")[1]
    command = ["top", f"localhost:{port}", "--once", "--interval-seconds", "0.1", *given]
    result = CliRunner().invoke(mlpserve, command)
    assert words in result.output


def test_top_without_tls(server: ServerProcess) -> None:
    result = CliRunner().invoke(mlpserve, ["top", server.http_address, "--once", "--tls"])
    assert "it does not speak TLS" in result.output
    assert "leave out --tls, --ca and https://" in result.output


def test_probes_need_no_certificate_and_callers_do(mutual: Secured) -> None:
    with mutual.client() as stranger:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert stranger.get(path).status_code == 200
        for path in ("/", "/watch", "/static/js/main.js", "/v1/models", "/v2/models"):
            refused = stranger.get(path)
            assert refused.status_code == 403
            assert refused.json()["reason"] == "NO_CERTIFICATE"
    own = certificate.sign(mutual.authority, mutual.folder, "caller")
    with mutual.client(own) as caller:
        assert caller.get("/").status_code == 200
        assert caller.post("/v1/predict", json=PIXELS).json()["labels"] == [8]
    other = certificate.make(mutual.folder, "stranger")
    with mutual.client(other) as caller, pytest.raises(httpx.HTTPError):
        caller.get("/v1/models")


def test_plain_http_is_no_way_around_certificates(repository: Path, tmp_path: Path) -> None:
    with (
        start(repository, tmp_path, mutual=True) as found,
        httpx.Client(base_url=f"http://{found.server.http_address}", timeout=60) as client,
    ):
        assert client.get("/readyz").status_code == 200
        refused = client.post("/v1/predict", json=PIXELS)
    assert refused.status_code == 403
    assert "--http-tls on" in refused.json()["error"]
    (serving,) = (line for line in found.server.log if line["event"] == "serving")
    assert not {"page", "watch"} & serving.keys()


def test_a_certificate_that_is_for_servers_alone_is_explained(
    repository: Path, tmp_path: Path
) -> None:
    """HTTP shows it to the gRPC port, as a caller."""
    authority = certificate.make(tmp_path, "authority")
    usage = (certificate.NAMES, "extendedKeyUsage=serverAuth")
    files = certificate.sign(authority, tmp_path, "server", extensions=usage)
    arguments = (
        *("--tls-certificate", str(files.certificate_file), "--tls-key", str(files.key_file)),
        *("--tls-client-ca", str(authority.certificate_file), "--http-tls", "on"),
    )
    with start_server(repository, *arguments) as server:
        found = Secured(server, authority, files, tmp_path)
        with found.client(certificate.sign(authority, tmp_path, "caller")) as client:
            for _ in range(3):
                refused = client.post("/v1/predict", json=PIXELS)
                assert refused.status_code == 503
                assert "clientAuth" in refused.json()["error"]
                assert refused.headers["retry-after"] == "1"
    lines = [line for line in server.log if line["event"] == "HTTP can't reach the gRPC port"]
    assert len(lines) == 1


def test_a_certificate_that_can_not_be_read_keeps_metrics(repository: Path, tmp_path: Path) -> None:
    with start(repository, tmp_path) as found:
        good = found.files.key
        found.files.key_file.write_bytes(b"nonsense")
        (old,) = found.server.http
        found.server.wait_for("reload failed, the previous content stays in use")
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: found.server.http not in ([], [old]))
        with httpx.Client(base_url=f"http://{found.server.http_address}", timeout=60) as client:
            assert client.get("/metrics").status_code == 200
            assert client.post("/v1/predict", json=PIXELS).json()["reason"] == "CERTIFICATE"
            found.files.key_file.write_bytes(good)
            wait_for(lambda: client.post("/v1/predict", json=PIXELS).status_code == 200)
