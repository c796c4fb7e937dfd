"""The real parts that tests share: the exported network, the test images and a running server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, settings

from exporter.network.network import Batch
from exporter.training import mnist
from exporter.training.mnist import Labels
from harness.server_process import LANE_VARIABLE, ROOT, ServerProcess, start_server

# Tests that use ONNX Runtime themselves report no more than the server does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# How long an example takes says more about what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lane",
        choices=["on", "off"],
        default="on",
        help="how the tested servers take predictions",
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ[LANE_VARIABLE] = config.getoption("--lane")


@pytest.fixture(scope="session")
def lane(request: pytest.FixtureRequest) -> bool:
    """Whether the tested servers take predictions on the lane."""
    return bool(request.config.getoption("--lane") == "on")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that holds the shipped network as digits, version 1, exported by the command."""
    folder = tmp_path_factory.mktemp("repository")
    command = [sys.executable, "-m", "exporter", "export", "--repository", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[ServerProcess]:
    """A server of the shipped network."""
    with start_server(repository, "--max-batch-size", "1000") as running:
        yield running


@pytest.fixture(scope="session")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection to the server."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.grpc_address, options=options) as opened:
        yield opened


@pytest.fixture(scope="session")
def digits() -> tuple[Batch, Labels]:
    """MNIST's 10,000 test images (N, 784) and their labels (N,)."""
    return mnist.load(ROOT / "tests" / "data", "test")
