"""A caller's end of an HTTP/2 connection that does nothing by itself, such as answer pings."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, ACKNOWLEDGED, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER_BYTES = 9


def frame(kind: int, content: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """Return a frame of RFC 9113, section 4.1."""
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def header(name: bytes, value: bytes, kept: bool = False) -> bytes:
    """Return a header without compression, which the server is to keep in its table if so wanted
    (RFC 7541, section 6.2).
    """
    return (b"\x40" if kept else b"\0") + b"".join(_length(s) + s for s in (name, value))


def headers(path: str | bytes, *metadata: tuple[bytes, bytes]) -> bytes:
    """Return the headers of a gRPC call."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode() if isinstance(path, str) else path),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *metadata,
    )
    return b"".join(header(name, value) for name, value in fields)


def _length(text: bytes) -> bytes:
    """Return a length as RFC 7541, section 5.1, has it behind one bit that is 0."""
    value = len(text)
    if value < 127:
        return bytes([value])
    parts, value = [127], value - 127
    while value >= 128:
        parts.append(value % 128 + 128)
        value //= 128
    return bytes([*parts, value])


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of RFC 9113, section 4.1."""

    kind: int
    flags: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection."""

    socket: socket.socket

    def send(self, kind: int, content: bytes = b"", flags: int = 0, stream: int = 0) -> None:
        self.socket.sendall(frame(kind, content, flags, stream))

    def call(self, path: str | bytes, message: bytes, *metadata: tuple[bytes, bytes]) -> bytes:
        """Make a gRPC call, which may have metadata that no library sends; returns the block of
        headers that ends it, compressed in parts.
        """
        self.begin(path, 1, *metadata)
        self.finish(message, 1)
        for received in self.frames():
            if received.kind == HEADERS and received.flags & END_STREAM:
                return received.content
        raise AssertionError("the connection ended before the call")

    def begin(self, path: str | bytes, stream: int, *metadata: tuple[bytes, bytes]) -> None:
        """Begin a call, on a stream with an odd number, and leave its message out."""
        self.send(HEADERS, headers(path, *metadata), END_HEADERS, stream=stream)

    def finish(self, message: bytes, stream: int) -> None:
        """Send the message of a call, and that there is no other."""
        content = b"\0" + len(message).to_bytes(4) + message
        self.send(DATA, content, END_STREAM, stream=stream)

    def dribble(self, size: int, stream: int) -> None:
        """Send the beginning of a message of so many bytes."""
        self.send(DATA, b"\0" + size.to_bytes(4), stream=stream)

    def frames(self) -> Iterator[Frame]:
        """Yield what the server sends until it closes the connection."""
        while start := self._read(_HEADER_BYTES):
            content = self._read(int.from_bytes(start[:3]))
            yield Frame(start[3], start[4], content)

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            try:
                more = self.socket.recv(size - len(found))
            except ConnectionResetError:
                return b""
            if not more:
                return b""
            found += more
        return found


@contextlib.contextmanager
def connect(address: str) -> Iterator[Connection]:
    """Open a connection to HOST:PORT."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        connection = Connection(opened)
        opened.sendall(PREFACE)
        connection.send(SETTINGS)
        yield connection
