"""A small server and a client of it, shared by the tests of this room."""

import socket
from collections.abc import Iterator

import pytest

from mlpserve import Client
from tests.mlpserve.serving import Serving, start_serving


@pytest.fixture
def serving() -> Iterator[Serving]:
    """A server that classifies by the first ten pixels."""
    with start_serving() as running:
        yield running


@pytest.fixture
def client(serving: Serving) -> Iterator[Client]:
    """A client of that server."""
    with Client(serving.address) as connected:
        yield connected


@pytest.fixture
def silent_address() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
