"""How calls go round: over connections, over a list of addresses, and over those of a name."""

import asyncio
import contextlib
import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve import Client, aio
from mlpserve.connection.address import may_have_several
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import classify, start_serving

IMAGE = np.zeros(784, np.uint8)
NAME = "classifier.test"


class Seen:
    """Answers, and notes the caller's and its own address."""

    def __init__(self) -> None:
        self.peers: list[str] = []

    def answer(self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        self.peers.append(context.peer())
        return classify(request)


@pytest.mark.parametrize("connections", [1, 3])
def test_calls_go_round_over_connections(connections: int) -> None:
    seen = Seen()
    with (
        start_serving(seen.answer) as serving,
        Client(serving.address, connections=connections) as client,
    ):
        for _ in range(4 * connections):
            client.predict(IMAGE)
    assert sorted(Counter(seen.peers).values()) == [4] * connections
    assert seen.peers[:connections] == seen.peers[connections : 2 * connections]


@pytest.mark.parametrize("connections", [1, 3])
def test_tasks_go_round_over_connections(connections: int) -> None:
    seen = Seen()

    async def call(address: str) -> None:
        async with aio.Client(address, connections=connections) as client:
            for _ in range(4 * connections):
                await client.predict(IMAGE)

    with start_serving(seen.answer) as serving:
        asyncio.run(call(serving.address))
    assert sorted(Counter(seen.peers).values()) == [4] * connections


@pytest.fixture(scope="module")
def two_workers(
    tmp_path_factory: pytest.TempPathFactory, repository: Any
) -> Iterator[ServerProcess]:
    with start_server(repository, "--workers", "2") as server:
        yield server


def established(address: str) -> int:
    """Return how many connections to a port of this machine there are, at the callers' ends."""
    port = int(address.rpartition(":")[2])
    tables = [Path(f"/proc/net/{kind}").read_text() for kind in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sum(int(row[2].rpartition(":")[2], 16) == port and row[3] == "01" for row in rows)


def test_a_server_of_two_workers_gets_as_many_connections(two_workers: ServerProcess) -> None:
    address = two_workers.grpc_address
    before = established(address)
    with Client(address, connections=16) as client:
        for _ in range(32):
            client.predict(IMAGE)
        assert established(address) == before + 16
    wait_for(lambda: established(address) == before)


class Servers:
    """Servers at one port of several addresses of this machine, which a test stops and starts."""

    def __init__(self, hosts: list[str], stack: contextlib.ExitStack) -> None:
        with socket.socket() as free:
            free.bind(("0.0.0.0", 0))
            self.port = free.getsockname()[1]
        self.hosts, self.calls = hosts, Counter[str]()
        self._running: dict[str, contextlib.ExitStack] = {}
        stack.callback(self.stop_all)
        for host in hosts:
            self.start(host)

    def start(self, host: str) -> None:
        def answer(request: classifier_pb2.PredictRequest, _: grpc.ServicerContext) -> Any:
            self.calls[host] += 1
            return classify(request)

        self._running[host] = running = contextlib.ExitStack()
        running.enter_context(start_serving(answer, address=f"{host}:{self.port}"))

    def stop(self, host: str) -> None:
        self._running.pop(host).close()

    def stop_all(self) -> None:
        for host in list(self._running):
            self.stop(host)

    @property
    def targets(self) -> str:
        return "ipv4:" + ",".join(f"{host}:{self.port}" for host in self.hosts)

    def all_are_called(self, client: Client) -> bool:
        """Return whether a few calls reach each server that runs; none may fail."""
        self.calls.clear()
        for _ in range(4 * len(self.hosts)):
            client.predict(IMAGE)
        return set(self.calls) == set(self._running)


@pytest.fixture
def servers() -> Iterator[Servers]:
    with contextlib.ExitStack() as stack:
        yield Servers(["127.0.0.2", "127.0.0.3", "127.0.0.4"], stack)


def test_calls_go_round_over_a_list_of_addresses(servers: Servers) -> None:
    with Client(servers.targets) as client:
        wait_for(lambda: servers.all_are_called(client) and set(servers.calls.values()) == {4})


def test_a_server_that_has_gone_is_used_again_when_it_is_back(servers: Servers) -> None:
    with Client(servers.targets, connections=2) as client:
        wait_for(lambda: servers.all_are_called(client))
        servers.stop("127.0.0.3")
        wait_for(lambda: servers.all_are_called(client))
        servers.start("127.0.0.3")
        wait_for(lambda: servers.all_are_called(client))


class NameServer:
    """Answers each question for addresses with those of the servers, over UDP."""

    def __init__(self, hosts: list[str]) -> None:
        self.hosts = hosts
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                query, sender = self.request
                sender.sendto(outer.reply(query), self.client_address)

        self.server = socketserver.UDPServer(("127.0.0.1", 0), Handler)

    def reply(self, query: bytes) -> bytes:
        # A name ends with an empty label; two bytes each of type and class follow.
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack("!H", query[end - 4 : end - 2])
        hosts = self.hosts if kind == 1 else []
        header = query[:2] + struct.pack("!5H", 0x8580, 1, len(hosts), 0, 0)
        records = [
            struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(host) for host in hosts
        ]
        return header + query[12:end] + b"".join(records)


def test_calls_go_round_over_the_addresses_of_a_name(servers: Servers) -> None:
    names = NameServer(servers.hosts[:2])
    thread = threading.Thread(target=names.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        address = f"dns://127.0.0.1:{names.server.server_address[1]}/{NAME}:{servers.port}"
        options = {"grpc.dns_min_time_between_resolutions_ms": 10}
        with Client(address, options=options) as client:
            servers.stop("127.0.0.4")
            wait_for(lambda: servers.all_are_called(client))
            # Others take over: the name is looked up again when a connection is lost.
            servers.start("127.0.0.4")
            names.hosts = ["127.0.0.4"]
            for host in ("127.0.0.2", "127.0.0.3"):
                servers.stop(host)
            wait_for(lambda: servers.all_are_called(client))
    finally:
        names.server.shutdown()
        thread.join()
        names.server.server_close()


@pytest.mark.parametrize(
    ("address", "several"),
    [
        *(("classifier:1", True), ("dns:///classifier:1", True), ("dns:classifier:1", True)),
        *(("dns://8.8.8.8/classifier:1", True), ("ipv4:10.0.0.1:1,10.0.0.2:1", True)),
        *(("ipv6:[::1]:1,[::2]:1", True), ("ipv4:10.0.0.1:1", False), ("10.0.0.1:1", False)),
        *(("[::1]:1", False), ("localhost:1", False), ("dns:///localhost:1", False)),
        *(("dns:///10.0.0.1:1", False), ("unix:/run/s", False), ("xds:///classifier", False)),
    ],
)
def test_where_there_may_be_several_servers(address: str, several: bool) -> None:
    assert may_have_several(address) is several
