"""Unix-domain sockets, pings, the age of connections, and messages that are too large."""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from harness import http2
from harness.callers import BLACK, OPTIONS
from harness.calls import error_info, predict
from harness.changes import write_changes
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from mlpserve import Client, InvalidRequest
from mlpserve.v1 import classifier_pb2
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import StartupError
from server.rpc.listening.binding import Binding
from tests.server.modes import ON_THE_LANE

MAX_MESSAGE_BYTES = 100_000
PINGS = 20


@pytest.fixture(scope="module")
def strict(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, lane: bool
) -> Iterator[ServerProcess]:
    """A server that takes small messages and few pings, and soon closes silent connections."""
    keepalive = "KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS = 3, 3"
    folder = tmp_path_factory.mktemp("strict") / "path"
    path = write_changes(folder, {"server.rpc.listening.options": keepalive})
    message = ["--max-message-bytes", str(MAX_MESSAGE_BYTES)]
    with start_server(repository, *message, *mode(lane), PYTHONPATH=path) as server:
        yield server


@pytest.fixture(scope="module")
def lenient(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that takes any pings, whose connections grow a second old."""
    folder = tmp_path_factory.mktemp("lenient") / "path"
    pings = "MIN_CLIENT_PING_SECONDS = 0"
    path = write_changes(folder, {"server.rpc.listening.options": pings})
    with start_server(repository, "--max-connection-age-seconds", "1", PYTHONPATH=path) as server:
        yield server


@ON_THE_LANE
def test_dead_connections_are_found_and_closed(strict: ServerProcess) -> None:
    with http2.connect(strict.grpc_address) as connection:
        kinds = [frame.kind for frame in connection.frames()]
    assert http2.PING in kinds, "and then the connection ended, since nobody answered"


@ON_THE_LANE
def test_callers_that_ping_too_often_are_sent_away(strict: ServerProcess) -> None:
    with http2.connect(strict.grpc_address) as connection:
        with contextlib.suppress(ConnectionError):
            for _ in range(PINGS):
                connection.send(http2.PING, bytes(8))
        last = [frame for frame in connection.frames() if frame.kind == http2.GOAWAY][-1]
    assert b"too_many_pings" in last.content


def test_callers_may_ping_as_often_as_the_server_allows(lenient: ServerProcess) -> None:
    with http2.connect(lenient.grpc_address) as connection:
        for _ in range(PINGS):
            connection.send(http2.PING, bytes(8))
        answered = 0
        for frame in connection.frames():
            assert b"too_many_pings" not in frame.content
            answered += (frame.kind, frame.flags) == (http2.PING, http2.ACKNOWLEDGED)
            if answered == PINGS:
                break
    assert answered == PINGS


def test_old_connections_are_replaced_without_a_failed_call(lenient: ServerProcess) -> None:
    made = []
    third = threading.Event()

    def notice(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            made.append(state)
            if len(made) == 3:
                third.set()

    request = PredictRequest(pixels_u8=bytes(784))
    answered = 0
    # A channel as callers have it: what it has not sent yet when the connection is closed, it sends
    # on the next one. No call that has reached the server is repeated.
    with grpc.insecure_channel(lenient.grpc_address) as channel:
        others = set(threading.enumerate())
        channel.subscribe(notice)
        while not third.is_set():
            assert predict(channel, request).labels
            answered += 1
        channel.unsubscribe(notice)
        # The thread that watches fails when the channel is closed before it has noticed.
        for watching in set(threading.enumerate()) - others:
            watching.join(10)
    assert answered > 3


def message(size: int) -> bytes:
    return PredictRequest(pixels_u8=bytes(size)).SerializeToString()


def test_messages_beyond_the_limit_are_told_limit_and_remedy(strict: ServerProcess) -> None:
    labels = {"reason": "message_bytes"}
    before = value(strict, "mlpserve_rejected_requests_total", **labels)
    size = len(message(2 * MAX_MESSAGE_BYTES - 10))
    words = f"has {size} bytes, larger than max_message_bytes, {MAX_MESSAGE_BYTES}; send fewer"
    with grpc.insecure_channel(strict.grpc_address) as channel:
        with pytest.raises(grpc.RpcError, match=words) as caught:
            predict(channel, message(2 * MAX_MESSAGE_BYTES - 10))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "raise the server's --max-message-bytes" in str(caught.value.details())
        assert error_info(caught.value).reason == "MESSAGE_BYTES"
        assert predict(channel, message(100 * 784)).labels
        with pytest.raises(grpc.RpcError, match="larger than max") as caught:
            predict(channel, message(2 * MAX_MESSAGE_BYTES))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert value(strict, "mlpserve_rejected_requests_total", **labels) == before + 1


@ON_THE_LANE
def test_streams_outlast_messages_beyond_the_limit(strict: ServerProcess) -> None:
    with grpc.insecure_channel(strict.grpc_address) as channel:
        stream: grpc.StreamStreamMultiCallable[bytes, classifier_pb2.PredictStreamResponse]
        stream = channel.stream_stream(
            "/mlpserve.v1.Classifier/PredictStream",
            response_deserializer=classifier_pb2.PredictStreamResponse.FromString,
        )
        sent = iter([message(MAX_MESSAGE_BYTES), message(784)])
        first, second = stream(sent, timeout=60)
    assert b"larger than max_message_bytes" in first.error.value
    assert second.response.labels


@pytest.mark.parametrize("images", [200, 2000])
def test_client_explains_messages_beyond_the_limit(strict: ServerProcess, images: int) -> None:
    with (
        Client(strict.grpc_address) as client,
        pytest.raises(
            InvalidRequest,
            match=r"(larger than max|takes at most).*; send fewer images in one call",
        ),
    ):
        client.predict(np.zeros((images, 784), np.uint8))


def refused(address: str) -> str:
    """Return why another server can't listen on the address."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    with pytest.raises(StartupError) as caught:
        Binding(server, address, None)
    return str(caught.value)


def test_unix_domain_socket(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "mlpserve.sock"
    address = f"unix:{path}"
    arguments = ["--grpc-address", address, "--reflection", "off"]
    with start_server(repository, *arguments) as server:
        assert server.grpc_address == address
        found = path.stat().st_mode
        assert stat.S_ISSOCK(found)
        assert stat.S_IMODE(found) == 0o660
        with Client(address, token="any-token", options=OPTIONS) as client:
            assert client.is_ready()
            assert len(client.predict(BLACK)) == 1
        with grpc.insecure_channel(address) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                ProtoReflectionDescriptorDatabase(channel).get_services()
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert f"can't listen on {address}: another server does" in refused(address)
        with Client(address, options=OPTIONS) as client:
            assert len(client.predict(BLACK)) == 1, "the other has not taken the socket away"
        server.process.kill()
        server.process.wait()
    assert path.exists(), "a killed server leaves it, which hinders no other"
    with start_server(repository, *arguments), Client(address, options=OPTIONS) as client:
        assert len(client.predict(BLACK)) == 1
    assert not path.exists()


def test_abstract_socket(repository: Path) -> None:
    address = f"unix-abstract:mlpserve-{os.getpid()}"
    with (
        start_server(repository, "--grpc-address", address) as server,
        Client(address, options=OPTIONS) as client,
    ):
        assert server.grpc_address == address
        assert len(client.predict(BLACK)) == 1
        assert f"gRPC can't listen on {address}: is the name taken?" in refused(address)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file", "there is a file that is not a socket; remove it"),
        ("none/mlpserve.sock", "does its folder exist"),
        ("x" * 120, "short enough"),
        ("", "there is a file that is not a socket"),
    ],
    ids=["file", "folder", "long", "directory"],
)
def test_paths_that_can_be_no_socket(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("precious")
    assert words in refused(f"unix:{tmp_path / name}")
    assert (tmp_path / "file").read_text() == "precious"
