"""`python -m server health` asks a running server, as a container's health check does."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness import certificate
from harness.scrape import value
from harness.server_process import ROOT, ServerProcess, environment, start_server
from harness.waiting import wait_for
from server.health import SERVICE as ASKED
from server.rpc.classifier import SERVICE

ANSWERED = "grpc_server_handled_total"


@pytest.fixture(autouse=True)
def _only_with_the_lane(lane: bool) -> None:
    if not lane:
        pytest.skip("it is the same in both modes")


def health(*arguments: str | Path, **variables: str) -> tuple[int, str]:
    """Return the exit code of the command, and its only line."""
    command = [sys.executable, "-W", "error", "-m", "server", "health", *arguments]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    (line,) = ended.stdout.splitlines()
    return ended.returncode, line


def predictions(server: ServerProcess) -> float:
    return value(server, ANSWERED, grpc_method="Predict", grpc_code="OK")


def test_it_asks_for_the_service_that_is_served() -> None:
    assert ASKED == SERVICE


def test_a_ready_server_is_healthy(server: ServerProcess) -> None:
    before = predictions(server)
    assert health("--grpc-address", server.grpc_address) == (0, "healthy")
    # The address of a server that listens everywhere is one to call too.
    port = server.grpc_address.rpartition(":")[2]
    assert health(MLPSERVE_GRPC_ADDRESS=f"0.0.0.0:{port}") == (0, "healthy")
    assert predictions(server) == before


def test_a_prediction_can_be_asked_for_and_is_one_when_wanted_once(
    server: ServerProcess, tmp_path: Path
) -> None:
    before, note = predictions(server), tmp_path / "predicted"
    address = ("--grpc-address", server.grpc_address, "--predict")
    for _ in range(2):
        assert health(*address) == (0, "healthy")
    assert predictions(server) == before + 2
    for _ in range(2):
        assert health(*address, "--once", note) == (0, "healthy")
    assert predictions(server) == before + 3


def test_a_draining_server_is_not(repository: Path) -> None:
    with start_server(repository, "--drain-delay-seconds", "60") as server:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        code, line = health("--grpc-address", server.grpc_address)
        assert (code, line.rpartition(": ")[2]) == (1, f"{SERVICE} is NOT_SERVING")
        assert server.terminate() == 0


def test_no_server_is_not(tmp_path: Path) -> None:
    code, line = health("--grpc-address", f"unix:{tmp_path / 'none.sock'}")
    assert code == 1
    assert line.startswith("unhealthy: ")
    assert "UNAVAILABLE" in line


def test_a_misspelt_setting_is_an_error() -> None:
    command = [sys.executable, "-m", "server", "health", "--grpc-adress", "x"]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 2
    assert "--grpc-address" in ended.stderr


def test_a_server_that_wants_tokens_is_asked_for_no_prediction(
    repository: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("somebody: 0123456789abcdef\n")
    tokens.chmod(0o600)
    with start_server(repository, "--tokens-file", str(tokens)) as server:
        address = ("--grpc-address", server.grpc_address)
        assert health(*address, "--tokens-file", tokens, "--predict") == (0, "healthy")
        assert predictions(server) == 0
        code, line = health(*address, "--predict")
        assert (code, "UNAUTHENTICATED" in line) == (1, True)


@pytest.mark.parametrize(
    ("listening", "asks_callers"),
    [
        ("127.0.0.1:0", False),
        ("unix:{}/server.sock", True),
        ("unix-abstract:{}/server", True),
    ],
)
def test_tls_is_spoken_and_only_with_the_holder_of_the_certificate(
    repository: Path, tmp_path: Path, listening: str, asks_callers: bool
) -> None:
    authority = certificate.make(tmp_path, "authority")
    its = certificate.sign(authority, tmp_path, "server")
    other = certificate.sign(authority, tmp_path, "other")
    tls: list[str | Path] = ["--tls-certificate", its.certificate_file, "--tls-key", its.key_file]
    if asks_callers:
        tls += ["--tls-client-ca", authority.certificate_file]
    listen = ("--grpc-address", listening.format(tmp_path))
    with start_server(repository, *listen, *map(str, tls)) as server:
        address = ("--grpc-address", server.grpc_address)
        assert health(*address, *tls, "--predict") == (0, "healthy")
        wrong = ("--tls-certificate", other.certificate_file, "--tls-key", other.key_file)
        code, line = health(*address, *wrong)
        assert code == 1
        assert "certificate verify failed" in line.lower()
        assert health(*address)[0] == 1


def test_who_asks_callers_for_certificates_of_others_is_asked_over_http(
    repository: Path, tmp_path: Path
) -> None:
    authority, callers = (certificate.make(tmp_path, name) for name in ("authority", "callers"))
    usage = (certificate.NAMES, "extendedKeyUsage=serverAuth")
    its = certificate.sign(authority, tmp_path, "server", extensions=usage)
    tls: list[str | Path] = ["--tls-certificate", its.certificate_file, "--tls-key", its.key_file]
    tls += ["--tls-client-ca", callers.certificate_file]
    with start_server(repository, *map(str, tls), "--drain-delay-seconds", "60") as server:
        grpc = ("--grpc-address", server.grpc_address, *tls, "--predict")
        http = ("--http-address", server.http_address)
        assert health(*grpc, *http) == (0, "healthy")
        # Nothing can be said without: what is there might refuse everybody.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            nobody = f"127.0.0.1:{silent.getsockname()[1]}"
            code, line = health(*grpc, "--http-address", nobody, "--timeout-seconds", "0.5")
        assert (code, "answered nothing in time" in line or "timed out" in line) == (1, True)
        code, line = health(*grpc, "--http-address", nobody)
        assert (code, f"nor can /readyz at {nobody}" in line) == (1, True)
        # A new certificate that can't be used leaves the server, and its health, as they were.
        expired = certificate.sign(authority, tmp_path, "expired", days=-1)
        its.certificate_file.write_bytes(expired.certificate)
        its.key_file.write_bytes(expired.key)
        failed = ("mlpserve_last_reload_successful", {"part": "certificate"})
        wait_for(lambda: value(server, failed[0], **failed[1]) == 0)
        assert health(*grpc, *http) == (0, "healthy")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        code, line = health(*grpc, *http)
        assert (code, "answered HTTP/1.1 503" in line) == (1, True)
        assert server.terminate() == 0
