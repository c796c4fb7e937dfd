"""Clients of a server's HTTP and gRPC ports."""

from collections.abc import Iterator

import httpx
import pytest

from harness.server_process import ServerProcess
from mlpserve import Client
from tests.server.http.asking import connect


@pytest.fixture(scope="session")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with connect(server) as client:
        yield client


@pytest.fixture(scope="session")
def client(server: ServerProcess) -> Iterator[Client]:
    with Client(server.grpc_address) as client:
        yield client
