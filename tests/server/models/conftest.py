"""A server that loads what tests publish while it runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve import Client
from tests.server.faults import Runs
from tests.server.versions import Own, owning, publish


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


@pytest.fixture
def own(
    watched: tuple[Path, ServerProcess, Client], request: pytest.FixtureRequest
) -> Iterator[Own]:
    """A model of the test's own, of which version 1 is served."""
    repository, server, client = watched
    name = request.node.name.replace("[", "-").rstrip("]")
    with owning(repository, server, client, name) as made:
        wait_for(lambda: made.states() == {1: True})
        yield made
