"""Large answers leave as they are read, and have a bound together until then."""

import asyncio
import base64
import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from starlette.responses import Response

from harness.memory_bound import BODY_COPIES, MIB
from harness.server_process import ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS
from server.http.bodies import ANSWERS, BODIES
from server.http.connections import bounds, unread
from server.http.connections.caller import Caller
from server.http.connections.unread import Unread
from server.http.connections.writing import PIECE_BYTES, InPieces, acknowledged
from server.http.errors import HttpError
from server.http.serving import Server
from server.settings.addresses import split_address
from tests.server.http.asking import connect

MAX_BODY = MIB
IMAGES = 400
DIGITS = base64.b64encode(np.random.default_rng(1).bytes(784 * IMAGES)).decode()
MANY = json.dumps({"pixels_u8": DIGITS, "canonicalize": True, "canonical_pixels": True}).encode()
READERS = 4 * ANSWERS
"""They would get far more than the bound together."""

LARGE = bytes(100 * PIECE_BYTES)


@pytest.fixture(scope="module")
def small(repository: Path) -> Iterator[ServerProcess]:
    """A server with little room for bodies."""
    arguments = ("--max-http-body-bytes", str(MAX_BODY), "--log-calls", "0")
    with start_server(repository, *arguments) as server:
        yield server


def memory(server: ServerProcess, key: str) -> int:
    """Return a number of bytes from the status of HTTP's process."""
    (pid,) = server.http
    found = re.search(rf"{key}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@contextlib.contextmanager
def deaf(server: ServerProcess, body: bytes) -> Iterator[bytes]:
    """Ask, and read no more than the first bytes of the answer until the block ends."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(split_address(server.http_address, ""))
        head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)
        yield connection.recv(12)


def test_readers_that_read_nothing_take_no_more_than_the_room(small: ServerProcess) -> None:
    with connect(small) as client:
        whole = client.post("/v1/predict", content=MANY)
        assert whole.status_code == 200
        assert len(whole.content) > 2 * MAX_BODY
        (pid,) = small.http
        before = memory(small, "VmRSS")
        # The peak is forgotten.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        with contextlib.ExitStack() as stack:
            begun = [stack.enter_context(deaf(small, MANY)) for _ in range(READERS)]
            assert {*begun} == {b"HTTP/1.1 200", b"HTTP/1.1 429"}
            one = client.post("/v1/predict", json={"pixels": [0.5] * 784})
            assert one.status_code == 200, "small answers need no room"
        assert memory(small, "VmHWM") - before < BODIES * BODY_COPIES * MAX_BODY
        assert READERS * len(whole.content) > 2 * BODIES * BODY_COPIES * MAX_BODY
        while (again := client.post("/v1/predict", content=MANY)).status_code != 200:
            assert again.json()["reason"] in ("UNREAD", "BODIES")
    assert [line for line in small.log if line.get("level") in ("warning", "error")] == []


def test_a_large_answer_is_the_same_in_pieces(small: ServerProcess) -> None:
    with connect(small) as client:
        first, second = (client.post("/v1/predict", content=MANY) for _ in range(2))
    assert first.content == second.content
    assert len(json.loads(first.content)["canonicalization"]["pixels"]) == IMAGES


async def serve(opened: socket.socket) -> tuple[Server, "asyncio.Task[None]"]:
    """Serve a large answer on a socket."""
    app = InPieces(Response(LARGE))
    config = uvicorn.Config(app, http=bounds.BoundedProtocol, lifespan="off", log_config=None)
    ready = asyncio.Event()
    server = Server(config, ready.set, None)
    task = asyncio.create_task(server.serve([opened]))
    await ready.wait()
    return server, task


def test_only_who_reads_nothing_is_overdue() -> None:
    """By the clock of the test, in which all that was read before was read long ago."""

    async def play() -> None:
        opened = socket.create_server(("127.0.0.1", 0))
        server, task = await serve(opened)
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(reader, opened.getsockname())
            request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            await loop.sock_sendall(reader, request)
            received = await loop.sock_recv(reader, 1)
            (connection,) = server.server_state.connections
            assert isinstance(connection, bounds.BoundedProtocol)
            while not connection.is_stalled:
                await asyncio.sleep(0)
            later = time.monotonic()
            for _ in range(3):
                later += 2 * bounds.STALLED_SECONDS
                before = acknowledged(connection.transport)
                while acknowledged(connection.transport) == before:
                    received += await loop.sock_recv(reader, 1024)
                assert not connection.is_overdue(later), "it has read since"
                assert len(received) < len(LARGE) / 2
            while not connection.is_overdue(later + 2 * bounds.STALLED_SECONDS):
                # What was on its way has arrived.
                later += 2 * bounds.STALLED_SECONDS
            while part := await loop.sock_recv(reader, PIECE_BYTES):
                received += part
        assert received.endswith(LARGE)
        server.should_exit = True
        await task

    asyncio.run(play())


def test_who_reads_for_long_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Connection:
        def __init__(self, name: str) -> None:
            self._name = name

        def one_write(self) -> contextlib.AbstractContextManager[None]:
            return contextlib.nullcontext()

        def abort(self) -> None:
            closed.append(self._name)

    room, old, new = Unread(100), Caller(connection=Connection("old")), Caller()
    with room.one(1000, old), pytest.raises(HttpError) as refused, room.one(60, new):
        pass
    assert refused.value.content["reason"] == "UNREAD"
    assert (room.bytes, closed) == (0, [])
    with room.one(60, old):
        monkeypatch.setattr(unread, "PATIENCE_SECONDS", -1.0)
        with room.one(60, new):
            assert (room.bytes, closed) == (60, ["old"])
    assert room.bytes == 0
