"""HTTP is a process of its own: nothing that is sent to it, or becomes of it, is felt elsewhere."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import httpx
import pytest

from harness.calls import predict
from harness.scrape import by_worker, value
from harness.server_process import HTTP_KILLED, ROOT, ServerProcess, environment, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.settings.addresses import split_address
from server.supervisor.ports import listen

IMAGE = PredictRequest(pixels_u8=bytes(784))
PATIENCE_SECONDS = 60
MODELS = 200


@pytest.fixture(scope="module")
def usual(repository: Path) -> Iterator[ServerProcess]:
    """A server of two workers with the usual limit of 1,024 files for each process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        arguments = ("--workers", "2", "--worker-timeout-seconds", "10")
        with start_server(repository, *arguments) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            yield server
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(server: ServerProcess, *, buffer_bytes: int = 0) -> socket.socket:
    connection = socket.socket()
    if buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.settimeout(PATIENCE_SECONDS)
    connection.connect(split_address(server.http_address, ""))
    return connection


def answer(server: ServerProcess, request: bytes) -> bytes:
    """Send a request and return all that comes until the server closes the connection."""
    with connect(server) as connection:
        connection.sendall(request)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)


def status(server: ServerProcess, path: str) -> int:
    url = f"http://{server.http_address}/{path}"
    return httpx.get(url, timeout=PATIENCE_SECONDS).status_code


def is_ready(server: ServerProcess) -> bool:
    return status(server, "readyz") == 200


def test_silent_connections_hinder_nobody(usual: ServerProcess) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2048:
        pytest.skip("this process may not open as many files")
    before = value(usual, "mlpserve_worker_restarts_total", reason="killed")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(usual)) for _ in range(1100)]
        for path in ("readyz", "healthz", "metrics"):
            assert status(usual, path) == 200
        os.kill(usual.workers[0], signal.SIGKILL)
        wait_for(
            lambda: (
                value(usual, "mlpserve_worker_restarts_total", reason="killed") > before
                and value(usual, "mlpserve_workers_ready") == 2
            )
        )
        for connection in silent:
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b"", "nobody may be silent for ever"
    assert len(usual.http) == 1


def test_headers_that_never_end_do_not_keep_a_connection(usual: ServerProcess) -> None:
    with connect(usual) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n")
        closed = threading.Event()

        def dribble() -> None:
            while not closed.wait(0.1):
                with contextlib.suppress(OSError):
                    connection.sendall(b"a: b\r\n")

        thread = threading.Thread(target=dribble)
        thread.start()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        closed.set()
        thread.join()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nabc", b"413"),
        (
            b"GET /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
            b"413",
        ),
        (b"GET /readyz HTTP/1.1\r\nhost: x\r\na: " + b"b" * 100_000, b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
    ids=["body", "chunks", "headers", "TLS"],
)
def test_what_no_page_needs_ends_the_connection(
    usual: ServerProcess, request_: bytes, code: bytes
) -> None:
    logged = len(usual.log)
    # What is closed with bytes unread may take the answer with it.
    assert answer(usual, request_)[:12] in (b"HTTP/1.1 " + code, b"")
    assert is_ready(usual)
    assert usual.log[logged:] == [], "nobody can fill the log"


def test_readers_that_stop_hinder_nobody(usual: ServerProcess) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(connect(usual, buffer_bytes=4096))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" * 100)
        assert is_ready(usual)
        wait_for(lambda: status(usual, "metrics") == 200)


def test_a_stopped_parent_makes_nothing_ready(usual: ServerProcess) -> None:
    assert is_ready(usual)
    workers = usual.workers
    usual.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: status(usual, "readyz") == 503)
        wait_for(lambda: status(usual, "healthz") == 503)
        with grpc.insecure_channel(usual.grpc_address) as channel:
            assert predict(channel, IMAGE).labels
    finally:
        usual.process.send_signal(signal.SIGCONT)
    wait_for(lambda: is_ready(usual) and status(usual, "healthz") == 200)
    assert usual.workers == workers


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGKILL, "killed"), (signal.SIGSTOP, "hung")]
)
def test_what_becomes_of_it_is_no_matter_to_callers(
    usual: ServerProcess, number: signal.Signals, reason: str
) -> None:
    before, workers = value(usual, "mlpserve_http_restarts_total", reason=reason), usual.workers
    (old,) = usual.http
    with grpc.insecure_channel(usual.grpc_address) as channel:
        predict(channel, IMAGE)
        os.kill(old, number)
        assert predict(channel, IMAGE).labels
        # Whoever comes meanwhile waits for the next one.
        wait_for(lambda: usual.http not in ([], [old]))
        assert is_ready(usual)
        assert predict(channel, IMAGE).labels
    assert value(usual, "mlpserve_http_restarts_total", reason=reason) == before + 1
    assert usual.workers == workers


def test_signals_are_for_the_parent_alone(usual: ServerProcess) -> None:
    before = usual.http
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        os.kill(before[0], number)
    assert is_ready(usual)
    assert usual.http == before


def test_it_ends_with_a_parent_that_is_killed_and_can_fail_at_every_start(
    repository: Path, tmp_path: Path
) -> None:
    # Python runs this file at its start, before anything else.
    crash = "import os, sys\nif 'server.http' in sys.orig_argv: os.kill(os.getpid(), 11)\n"
    (tmp_path / "sitecustomize.py").write_text(crash)
    with (
        start_server(repository, PYTHONPATH=str(tmp_path)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for _ in range(3):
            assert server.wait_for("HTTP's process ended")["error"] == "it ended with signal 11"
            assert predict(channel, IMAGE).labels
        (tmp_path / "sitecustomize.py").unlink()
        assert is_ready(server)
        (pid,) = server.http
        server.process.kill()
        server.process.wait(PATIENCE_SECONDS)
        wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def test_many_models_are_on_the_page_and_a_reader_that_stops_delays_no_stop(
    repository: Path, tmp_path: Path
) -> None:
    for number in range(MODELS):
        shutil.copytree(repository / "digits", tmp_path / f"model{number:03}")
    with start_server(tmp_path, "--workers", "2", "--default-model", "model000") as server:
        header = {"x-prometheus-scrape-timeout-seconds": "60"}
        url = f"http://{server.http_address}/metrics"

        def scrape() -> str:
            got = httpx.get(url, headers=header, timeout=PATIENCE_SECONDS)
            return got.raise_for_status().text

        with futures.ThreadPoolExecutor(4) as pool:
            for page in [wanted.result() for wanted in [pool.submit(scrape) for _ in range(4)]]:
                for worker in ("0", "1"):
                    assert f'mlpserve_worker_answered{{worker="{worker}"}} 1' in page
                    assert page.count(f'mlpserve_model_info{{worker="{worker}"') == MODELS
        with connect(server, buffer_bytes=4096) as connection:
            (line,) = (f"{name}: {value}\r\n" for name, value in header.items())
            connection.sendall(f"GET /metrics HTTP/1.1\r\nhost: x\r\n{line}\r\n".encode())
            assert connection.recv(100)
            begin = time.monotonic()
            assert server.terminate() == 0
            # It is two seconds; what it was, as long as the kernel waits for a reader, is 45.
            assert time.monotonic() - begin < 30
    said = [line for line in server.log if line["event"] != HTTP_KILLED]
    assert [line for line in said if line.get("level") != "info"] == []


def test_the_parent_imports_little() -> None:
    program = (
        "import sys, server.__main__, server.supervisor.supervisor\n"
        "print(sorted({'uvicorn', 'starlette', 'grpc', 'numpy', 'onnxruntime', "
        "'prometheus_client'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr


def test_all_addresses_are_those_of_both_kinds() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    address, sockets = listen("[::]:0", "--http-address")
    with contextlib.ExitStack() as stack:
        for opened in sockets:
            stack.enter_context(opened)
        port = split_address(address, "")[1]
        for host in ("127.0.0.1", "::1"):
            stack.enter_context(socket.create_connection((host, port), PATIENCE_SECONDS))


def test_a_name_stands_for_all_its_addresses() -> None:
    hosts = {target[0] for *_, target in socket.getaddrinfo("localhost", 0)}
    address, sockets = listen("localhost:0", "--http-address")
    with contextlib.ExitStack() as stack:
        for opened in sockets:
            stack.enter_context(opened)
        assert {opened.getsockname()[0] for opened in sockets} <= hosts
        port = split_address(address, "")[1]
        for opened in sockets:
            host = opened.getsockname()[0]
            stack.enter_context(socket.create_connection((host, port), PATIENCE_SECONDS))


def test_a_scrape_lacks_a_worker_that_is_stopped_and_says_so(usual: ServerProcess) -> None:
    wait_for(lambda: value(usual, "mlpserve_workers_ready") == 2)
    os.kill(usual.workers[0], signal.SIGSTOP)
    try:
        wait_for(lambda: sorted(by_worker(usual, "mlpserve_worker_answered").values()) == [0, 1])
    finally:
        os.kill(usual.workers[0], signal.SIGCONT)
    wait_for(lambda: sorted(by_worker(usual, "mlpserve_worker_answered").values()) == [1, 1])
    usual.wait_for("a worker did not return its metrics in time, and is missing from a scrape")
