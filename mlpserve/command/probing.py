"""Finds out what listens at a port of this machine, of which gRPC tells nothing."""

import socket

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of HTTP/2 begins: the preface, and settings without content."""

_FRAME_BYTES, _KIND, _SETTINGS = 9, 3, 4
_SECONDS = 1.0


def find_out(address: str) -> str:
    """Return what gRPC says of what listens at localhost:PORT when its client can't use it: empty
    for other addresses, and where nothing listens.

    localhost stands for two addresses, and gRPC only says why it can't reach the last that it has
    tried, where usually nothing listens.
    """
    host, _, port = address.rpartition(":")
    if host.lower() != "localhost":
        return ""
    for ip in ("127.0.0.1", "::1"):
        try:
            with socket.create_connection((ip, int(port)), _SECONDS) as connection:
                return _greet(connection)
        except OSError:
            continue
    return ""


def _greet(connection: socket.socket) -> str:
    try:
        connection.sendall(_HELLO)
        answer = connection.recv(_FRAME_BYTES)
    except OSError:
        answer = b""
    if answer.startswith(b"HTTP/"):
        return "it is an http1.x server"
    if len(answer) == _FRAME_BYTES and answer[_KIND] == _SETTINGS:
        # It would have answered without TLS.
        return "WRONG_VERSION_NUMBER"
    return "Socket closed"
