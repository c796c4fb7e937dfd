"""Whatever becomes of standard error, calls, reloads and a stop go on as if nothing was."""

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from exporter.export import graph, publishing
from harness.calls import predict_method
from harness.networks import random_network
from harness.scrape import by_worker, value
from harness.server_process import ROOT, ServerProcess, command, environment, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.logs.writer import MAX_LINES

LOST = "mlpserve_log_lines_lost_total"
ONE = PredictRequest(pixels_u8=bytes(4)).SerializeToString()
PIPE_BYTES = 4096
LISTENS = "0A"
"""As the kernel calls it in /proc/net/tcp."""


def port_of(pids: Sequence[int]) -> int:
    """Return the port that these processes listen at, 0 as long as there is none."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            # They come and go.
            with contextlib.suppress(FileNotFoundError):
                inodes.add(str(descriptor.readlink()))
    # gRPC's sockets are of IPv6 and take both.
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENS and f"socket:[{inode}]" in inodes:
                return int(local.rpartition(":")[2], 16)
    return 0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of a small model."""
    publish(tmp_path, 1)
    return tmp_path


def publish(repository: Path, version: int) -> None:
    model = graph.build(random_network((4, 5, 3), seed=version))
    publishing.publish(model, repository, "small", version)


@contextlib.contextmanager
def full_disk() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@contextlib.contextmanager
def reader_gone() -> Iterator[int]:
    read_end, write_end = os.pipe()
    os.close(read_end)
    yield write_end
    os.close(write_end)


@contextlib.contextmanager
def terminal_gone() -> Iterator[int]:
    terminal, descriptor = os.openpty()
    os.close(terminal)
    yield descriptor
    os.close(descriptor)


@contextlib.contextmanager
def reader_stopped() -> Iterator[int]:
    """A pipe that is full, and that nobody reads."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(write_end, b"x" * PIPE_BYTES)
    yield write_end
    os.close(read_end)
    os.close(write_end)


Opened = Callable[[], contextlib.AbstractContextManager[int]]


@contextlib.contextmanager
def start(
    repository: Path, standard_error: int | None, *arguments: str, **variables: str
) -> Iterator[ServerProcess]:
    """Run a server with this standard error, or none, until the block ends."""
    run = command(
        *("--repository", str(repository), "--log-calls", "1", "--stop-grace-seconds", "100"),
        *("--watch", "off", *arguments),
    )
    if standard_error is None:
        run = ["sh", "-c", 'exec "$@" 2>&-', "sh", *run]
    process = subprocess.Popen(run, cwd=ROOT, env=environment(**variables), stderr=standard_error)
    server = ServerProcess(process)
    try:
        # Nobody hears from it where it listens.
        wait_for(lambda: port_of([process.pid]) > 0)
        server.http_address = f"127.0.0.1:{port_of([process.pid])}"
        wait_for(lambda: is_ready(server) and port_of(server.workers) > 0)
        server.grpc_address = f"127.0.0.1:{port_of(server.workers)}"
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()


def is_ready(server: ServerProcess) -> bool:
    assert server.process.poll() is None
    try:
        return httpx.get(f"http://{server.http_address}/readyz", timeout=60).is_success
    except httpx.TransportError:
        return False


def call(server: ServerProcess, times: int) -> int:
    """Make calls that must be answered, and return the version that answered last."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.grpc_address, options=options) as channel:
        method = predict_method(channel)
        return [method(ONE, timeout=60).version for _ in range(times)][-1]


def check(server: ServerProcess, repository: Path, calls: int) -> None:
    """See that all goes on: calls, bad calls, a reload, the metrics, the stop."""
    assert call(server, calls) == 1
    with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError):
        predict_method(channel)(b"", timeout=60)
    publish(repository, 2)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: call(server, 1) == 2)
    wait_for(lambda: value(server, LOST) > 0)
    # Well before those are killed that do not end.
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=90) == 0


@pytest.mark.parametrize(
    ("opened", "workers"), [(full_disk, "1"), (reader_gone, "2"), (terminal_gone, "1")]
)
def test_a_standard_error_that_fails(opened: Opened, workers: str, repository: Path) -> None:
    with opened() as descriptor, start(repository, descriptor, "--workers", workers) as server:
        check(server, repository, 20)


def test_a_standard_error_that_is_closed(repository: Path) -> None:
    with start(repository, None) as server:
        check(server, repository, 20)


def test_a_standard_error_that_nobody_reads(repository: Path) -> None:
    # The core writes several lines for each call, with which the lane must not wait either.
    chatty = {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "http,channel"}
    with reader_stopped() as descriptor, start(repository, descriptor, **chatty) as server:
        check(server, repository, MAX_LINES + 100)


def test_a_reader_that_comes_back_is_told(repository: Path) -> None:
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with start(repository, write_end) as server:
        os.close(write_end)
        call(server, MAX_LINES + 100)
        wait_for(lambda: by_worker(server, LOST)["0"] > 0)
        told = b""
        while b'"lines of the log were lost"' not in told:
            told += os.read(read_end, 1 << 16)
        # Whole lines, all of them.
        *lines, _ = told.split(b"\n")
        assert all(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    os.close(read_end)


def test_what_c_code_writes_is_logged_and_last_words_are_kept(repository: Path) -> None:
    variables = {"PYTHONFAULTHANDLER": "1", "GRPC_VERBOSITY": "debug", "GRPC_TRACE": "http"}
    with start_server(repository, **variables) as server:
        assert call(server, 1) == 1
        line: dict[str, Any] = {"text": ""}
        while "chttp2" not in line["text"]:
            line = server.wait_for("written to standard error")
        assert line["worker"] == 0
        (worker,) = server.workers
        os.kill(worker, signal.SIGSEGV)
        while "Segmentation fault" not in line["text"]:
            line = server.wait_for("written to standard error")
        assert server.wait_for("worker ended")["error"] == "it ended with signal 11"
