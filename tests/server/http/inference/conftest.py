"""What the tests of inference over HTTP share."""

from collections.abc import Iterator

import httpx
import pytest

from harness.server_process import ServerProcess
from tests.server.http.inference.asking import opened


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of the server of the shipped network."""
    with opened(server) as client:
        yield client
