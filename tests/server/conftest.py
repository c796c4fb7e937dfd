"""What the tests of this room share: several models, one of which can be held, several workers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from exporter import network
from exporter.export import graph, publishing
from exporter.network.network import Network
from harness.networks import random_network
from harness.server_process import ROOT, ServerProcess, start_server
from tests.server.faults import SLOW, Runs


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Log short tracebacks: by default structlog renders every variable, which takes seconds."""
    processors = structlog.processors
    structlog.configure(
        processors=[
            processors.add_log_level,
            processors.format_exc_info,
            processors.KeyValueRenderer(),
        ]
    )


@pytest.fixture(scope="session")
def networks() -> dict[tuple[str, int], Network]:
    """The networks behind the models of `models`, by name and version."""
    return {
        ("digits", 1): network.load(ROOT / "exporter" / "weights" / "digits.npz").network,
        ("small", 1): random_network((4, 5, 3), seed=1),
        ("small", 2): random_network((4, 6, 3), seed=2),
        (SLOW, 1): random_network((784, 5, 10), seed=3),
    }


@pytest.fixture(scope="session")
def models(
    networks: dict[tuple[str, int], Network], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A repository of several models, the newest version of each of which is served."""
    folder = tmp_path_factory.mktemp("models")
    for (name, version), its in networks.items():
        publishing.publish(graph.build(its), folder, name, version)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Holds the runs of `SLOW` in a server with its variables."""
    return Runs.of(tmp_path_factory.mktemp("runs") / "change")


@pytest.fixture(scope="session")
def own_repository(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of `pair`, for tests that damage it and mend it again."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(repository, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def pair(own_repository: Path) -> Iterator[ServerProcess]:
    """A server of two workers, which tests may kill: others take their places."""
    arguments = ("--workers", "2", "--worker-timeout-seconds", "10")
    with start_server(own_repository, *arguments) as running:
        yield running
