"""A caller's end of an HTTP/2 connection that does nothing by itself, such as answer pings."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

SETTINGS, PING, GOAWAY = 4, 6, 7
ACKNOWLEDGED = 1
_DATA, _HEADERS = 0, 1
_END_STREAM, _END_HEADERS = 1, 4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER_BYTES = 9


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
        header = len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
        self.socket.sendall(header + content)

    def call(self, path: str | bytes, message: bytes, *metadata: tuple[bytes, bytes]) -> bytes:
        """Make a gRPC call, which may have metadata that no library sends; returns the block of
        headers that ends it, compressed in parts.
        """
        self.begin(path, 1, *metadata)
        self.finish(message, 1)
        for frame in self.frames():
            if frame.kind == _HEADERS and frame.flags & _END_STREAM:
                return frame.content
        raise AssertionError("the connection ended before the call")

    def begin(self, path: str | bytes, stream: int, *metadata: tuple[bytes, bytes]) -> None:
        """Begin a call, on a stream with an odd number, and leave its message out."""
        headers = (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode() if isinstance(path, str) else path),
            (b":authority", b"localhost"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            *metadata,
        )
        # RFC 7541, section 6.2.2: as they are.
        block = b"".join(
            b"".join((b"\0", bytes([len(name)]), name, bytes([len(value)]), value))
            for name, value in headers
        )
        self.send(_HEADERS, block, _END_HEADERS, stream=stream)

    def finish(self, message: bytes, stream: int) -> None:
        """Send the message of a call, and that there is no other."""
        content = b"\0" + len(message).to_bytes(4) + message
        self.send(_DATA, content, _END_STREAM, stream=stream)

    def dribble(self, size: int, stream: int) -> None:
        """Send the beginning of a message of so many bytes."""
        self.send(_DATA, b"\0" + size.to_bytes(4), stream=stream)

    def frames(self) -> Iterator[Frame]:
        """Yield what the server sends until it closes the connection."""
        while header := self._read(_HEADER_BYTES):
            content = self._read(int.from_bytes(header[:3]))
            yield Frame(header[3], header[4], content)

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
        opened.sendall(_PREFACE)
        connection.send(SETTINGS)
        yield connection
