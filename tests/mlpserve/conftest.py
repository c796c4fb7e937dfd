"""A small server and a client of it, shared by the tests of this room."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from mlpserve import Client
from tests.mlpserve.blocking import BlockingClient
from tests.mlpserve.serving import Serving, start_serving


@pytest.fixture
def serving() -> Iterator[Serving]:
    """A server that classifies by the first ten pixels."""
    with start_serving() as running:
        yield running


@pytest.fixture(params=[False, True], ids=["threads", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[type[Client]]:
    """`Client`, and that for asyncio, for tests of what both promise."""
    if not request.param:
        yield Client
        return
    with contextlib.ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> BlockingClient:
            made = BlockingClient(*arguments, **options)
            stack.callback(made.end)
            return made

        yield cast(type[Client], make)


@pytest.fixture
def client(connect: type[Client], serving: Serving) -> Iterator[Client]:
    """A client of that server, of either kind."""
    with connect(serving.address) as connected:
        yield connected


@pytest.fixture
def silent_address() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
