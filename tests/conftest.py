"""The real parts that tests share: the exported network, the test images and a running server."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, settings

from exporter.network.network import Batch
from exporter.training import mnist
from exporter.training.mnist import Labels
from harness.server_process import ROOT, ServerProcess, mode, start_server

# Servers and commands start in half of the time when what they import is compiled only once, and so
# are the tests collected; an environment that forbids to keep bytecode would have each compile all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# `make test` tells the commands that it runs, and so another make of a test would say more.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)
sys.dont_write_bytecode = False

# Tests that use ONNX Runtime themselves report no more than the server does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# How long an example takes says more about what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# Whoever runs the tests in the background, as CI may, has the interrupt ignored. Processes inherit
# that, and those that tests interrupt would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", params=[True, False], ids=["lane", "threads"])
def lane(request: pytest.FixtureRequest) -> bool:
    """Whether the tested server takes predictions on the lane: for tests of calls whose way through
    the server differs without it.
    """
    return bool(request.param)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that holds the shipped network as digits, version 1, exported by the command."""
    folder = tmp_path_factory.mktemp("repository")
    command = [sys.executable, "-m", "exporter", "export", "--repository", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def servers(repository: Path) -> Iterator[Callable[[bool], ServerProcess]]:
    """Servers of the shipped network, with the lane and without; each starts when it is needed."""
    with contextlib.ExitStack() as running:

        def start(lane: bool) -> ServerProcess:
            arguments = ("--max-batch-size", "1000")
            return running.enter_context(start_server(repository, *arguments, *mode(lane)))

        yield functools.cache(start)


@pytest.fixture(scope="session")
def server(servers: Callable[[bool], ServerProcess]) -> ServerProcess:
    """A server of the shipped network."""
    return servers(True)


@pytest.fixture(scope="session")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection to the server."""
    with connected(server) as opened:
        yield opened


@pytest.fixture(scope="module")
def each_server(servers: Callable[[bool], ServerProcess], lane: bool) -> ServerProcess:
    """The server with the lane, and the one without."""
    return servers(lane)


@pytest.fixture(scope="module")
def each_channel(each_server: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection to each of them."""
    with connected(each_server) as opened:
        yield opened


def connected(server: ServerProcess) -> grpc.Channel:
    """Connect to a server, for messages of any size."""
    return grpc.insecure_channel(
        server.grpc_address, options=[("grpc.max_send_message_length", -1)]
    )


@pytest.fixture(scope="session")
def digits() -> tuple[Batch, Labels]:
    """MNIST's 10,000 test images (N, 784) and their labels (N,)."""
    return mnist.load(ROOT / "tests" / "data", "test")
