"""An HTTP proxy on loopback that opens every tunnel to one server, and keeps what it was asked."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

_MAX_BYTES = 1 << 16


@dataclass(slots=True)
class Proxy:
    """A running proxy: its URL, the targets of its tunnels, and what clients sent through them."""

    url: str = ""
    targets: list[str] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)


@contextlib.contextmanager
def start_proxy(server_address: str) -> Iterator[Proxy]:
    """Answer CONNECT, whatever it names, with a tunnel to the server until the block ends."""
    proxy = Proxy()
    host, _, port = server_address.rpartition(":")

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            proxy.targets.append(self.rfile.readline().split()[1].decode())
            while self.rfile.readline().strip():
                pass
            with socket.create_connection((host, int(port))) as server:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, self.connection))
                back.start()
                while data := self.rfile.read1(_MAX_BYTES):
                    proxy.sent += data
                    server.sendall(data)
                server.shutdown(socket.SHUT_WR)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as listener:
        proxy.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown()
            thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_MAX_BYTES):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
