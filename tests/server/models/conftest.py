"""A server that loads what tests publish while it runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server_process import ServerProcess, start_server
from mlpserve import Client
from tests.server.faults import Runs
from tests.server.versions import publish


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, runs: Runs
) -> Iterator[tuple[Path, ServerProcess, Client]]:
    """A repository, a server that watches it, and a client."""
    repository = tmp_path_factory.mktemp("watched") / "models"
    publish(repository, 1, "first")
    with (
        start_server(repository, "--default-model", "first", **runs.variables) as server,
        Client(server.grpc_address) as client,
    ):
        yield repository, server, client
