"""`python -m server health` asks a running server, as a container's health check does."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from harness.server_process import ROOT, ServerProcess, environment, start_server


def health(*arguments: str, **variables: str) -> tuple[int, str]:
    """Return the exit code of the command, and its only line."""
    command = [sys.executable, "-W", "error", "-m", "server", "health", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=60
    )
    assert not ended.stderr
    (line,) = ended.stdout.splitlines()
    return ended.returncode, line


def test_a_ready_server_is_healthy(server: ServerProcess) -> None:
    assert health("--http-address", server.http_address) == (0, "ready")
    # The address of a server that listens everywhere is one to connect to, too.
    port = server.http_address.rpartition(":")[2]
    assert health(MLPSERVE_HTTP_ADDRESS=f"0.0.0.0:{port}") == (0, "ready")


def test_a_draining_server_is_not(repository: Path) -> None:
    with start_server(repository, "--drain-delay-seconds", "600") as server:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        assert health("--http-address", server.http_address) == (1, "not ready")
        # A second signal cuts the drain delay short.
        assert server.terminate() == 0


def test_no_server_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    code, line = health("--http-address", address)
    assert code == 1
    assert line.startswith(f"/readyz at {address} can't be reached: ")


def test_something_else_is_not() -> None:
    command = [sys.executable, "-m", "server", "health", "--http-address"]
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with subprocess.Popen(
            [*command, address], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        ) as asking:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-2.0-something\r\n")
            assert asking.communicate()[0].startswith(f"/readyz at {address} can't be reached: ")
    assert asking.returncode == 1


def test_a_misspelt_setting_is_an_error() -> None:
    command = [sys.executable, "-m", "server", "health", "--http-adress", "x"]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 2
    assert "--http-address" in ended.stderr
