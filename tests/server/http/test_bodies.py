"""Bodies of requests are bounded: each, what it expands to, and all that are in memory at once."""

import contextlib
import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from server.http.bodies import BODIES
from server.http.connections import bounds
from server.settings.addresses import split_address

MAX_BYTES = 256 * 1024
PATIENCE_SECONDS = 60
ONE = json.dumps({"pixels": [0.5] * 784}).encode()
MANY = json.dumps({"pixels": [[0] * 784] * 100}).encode()


@pytest.fixture(scope="module")
def bounded(repository: Path) -> Iterator[ServerProcess]:
    """A server that takes bodies of 256 KiB."""
    arguments = ("--max-http-body-bytes", str(MAX_BYTES), "--log-calls", "0")
    with start_server(repository, *arguments) as server:
        yield server


@pytest.fixture(scope="module")
def client(bounded: ServerProcess) -> Iterator[httpx.Client]:
    url = f"http://{bounded.http_address}"
    with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as opened:
        yield opened


def post(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.post("/v1/predict", content=body, headers=named)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body", "label"),
    [
        ("identity", ONE, 8),
        ("gzip", gzip.compress(ONE), 8),
        ("x-gzip", gzip.compress(ONE), 8),
        ("GZIP", gzip.compress(ONE[:100]) + gzip.compress(ONE[100:]), 8),
        ("deflate", zlib.compress(ONE), 8),
        ("deflate", raw_deflate(ONE), 8),
        ("gzip", gzip.compress(MANY), 5),
    ],
    ids=["identity", "gzip", "x-gzip", "members", "zlib", "raw deflate", "large"],
)
def test_compressed_bodies_are_read(
    client: httpx.Client, coding: str, body: bytes, label: int
) -> None:
    answer = post(client, body, content_encoding=coding)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["labels"]) == {label}


@pytest.mark.parametrize(
    ("coding", "body", "status", "reason"),
    [
        ("br", ONE, 415, "CONTENT_ENCODING"),
        ("gzip, gzip", gzip.compress(gzip.compress(ONE)), 415, "CONTENT_ENCODING"),
        ("gzip", gzip.compress(ONE)[:-5], 400, "CONTENT_ENCODING"),
        ("gzip", ONE, 400, "CONTENT_ENCODING"),
        ("gzip", b"", 400, "CONTENT_ENCODING"),
        ("gzip", gzip.compress(ONE) + b"more", 400, "CONTENT_ENCODING"),
        ("deflate", zlib.compress(ONE) + b"more", 400, "CONTENT_ENCODING"),
        ("deflate", zlib.compress(ONE)[:50], 400, "CONTENT_ENCODING"),
        ("gzip", gzip.compress(bytes(MAX_BYTES + 1)), 413, "BODY_BYTES"),
        ("gzip", gzip.compress(bytes(500 * MAX_BYTES)), 413, "BODY_BYTES"),
        (
            "gzip",
            gzip.compress(bytes(MAX_BYTES // 2)) * 3,
            413,
            "BODY_BYTES",
        ),
        ("deflate", zlib.compress(bytes(500 * MAX_BYTES)), 413, "BODY_BYTES"),
        ("identity", bytes(MAX_BYTES + 1), 413, "BODY_BYTES"),
    ],
    # Not the bodies themselves, which hold the time.
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_others_are_refused_with_the_reason(
    client: httpx.Client, coding: str, body: bytes, status: int, reason: str
) -> None:
    refused = post(client, body, content_encoding=coding)
    assert refused.status_code == status
    assert refused.json()["reason"] == reason
    assert refused.json()["error"]
    assert post(client, ONE).status_code == 200


def test_who_sends_too_much_reads_why(bounded: ServerProcess) -> None:
    """Even who sends all of it first, with a length or in chunks."""
    connection = http.client.HTTPConnection(bounded.http_address, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/predict", bytes(20 * MAX_BYTES))
        assert connection.getresponse().status == 413
    connection = http.client.HTTPConnection(bounded.http_address, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        chunks = (bytes(10_000) for _ in range(200))
        connection.request("POST", "/v1/predict", chunks, encode_chunked=True)
        assert connection.getresponse().status == 413


def test_nobody_is_asked_for_what_is_too_much(bounded: ServerProcess) -> None:
    with begin(bounded, 10 * MAX_BYTES, b"expect: 100-continue\r\n") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@contextlib.contextmanager
def begin(server: ServerProcess, size: int, header: bytes = b"") -> Iterator[socket.socket]:
    """Begin a request with a body of this size."""
    address = split_address(server.http_address, "")
    with socket.create_connection(address, PATIENCE_SECONDS) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nhost: x\r\n%scontent-length: %d\r\n\r\n" % (header, size)
        )
        yield connection


@contextlib.contextmanager
def stall(server: ServerProcess) -> Iterator[socket.socket]:
    """Begin a request whose body of the largest size has its room, and does not come."""
    with begin(server, MAX_BYTES, b"expect: 100-continue\r\n") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        yield connection


def test_bodies_that_stall_make_room_for_others(
    bounded: ServerProcess, client: httpx.Client
) -> None:
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(stall(bounded)) for _ in range(BODIES)]
        # Those that fill the room have some seconds.
        refused = [post(client, MANY)]
        while (answer := post(client, MANY)).status_code != 200:
            refused.append(answer)
        assert all(answer.status_code == 429 for answer in refused)
        assert all(answer.headers["retry-after"] == "1" for answer in refused)
        assert {answer.json()["reason"] for answer in refused} <= {"BODIES"}
        assert stalled[0].recv(100).startswith(b"HTTP/1.1 408")
        # The last one had no need to give way.
        stalled[-1].sendall(bytes(MAX_BYTES))
        assert stalled[-1].recv(100).startswith(b"HTTP/1.1 400")
    wait_for(lambda: post(client, bytes(MAX_BYTES)).status_code == 400)


def test_there_is_no_room_for_what_comes_in_chunks_either(
    bounded: ServerProcess, client: httpx.Client
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(BODIES):
            stack.enter_context(stall(bounded))
        while (answer := client.post("/v1/predict", content=iter([MANY]))).status_code != 200:
            assert answer.json()["reason"] == "BODIES"


def test_a_body_that_ends_early_is_nobodys_error(bounded: ServerProcess) -> None:
    with begin(bounded, 1000) as connection:
        connection.sendall(b"{")
    address = f"http://{bounded.http_address}"
    with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as client:
        assert post(client, ONE).status_code == 200
    assert [line for line in bounded.log if line.get("level") == "error"] == []


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_object_is_refused(client: httpx.Client, body: bytes) -> None:
    refused = post(client, body)
    assert refused.status_code == 400
    assert refused.json()["error"]


def test_bodies_that_never_end_hinder_nobody(bounded: ServerProcess, client: httpx.Client) -> None:
    """There are more of them than connections that are kept."""
    with contextlib.ExitStack() as stack:
        for _ in range(bounds.MAX_CONNECTIONS + 32):
            connection = stack.enter_context(begin(bounded, 1000))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b'{"pixels"')
        assert post(client, ONE).status_code == 200
        assert client.get("/readyz").status_code == 200
    assert [line for line in bounded.log if line.get("level") in ("warning", "error")] == []


def test_who_goes_on_after_the_answer_is_let_go(bounded: ServerProcess) -> None:
    address = split_address(bounded.http_address, "")
    with socket.create_connection(address, PATIENCE_SECONDS) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            while True:
                connection.sendall(b"10\r\n0123456789abcdef\r\n" * 1000)
