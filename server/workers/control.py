"""Messages between the parent and a worker: JSON objects, one a line, over a pair of sockets."""

import contextlib
import json
import socket
import threading
from typing import Any

Message = dict[str, Any]

CHUNK_BYTES = 1 << 16


class Control:
    """One end; `send` may be called from any thread, `receive` from one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._begun = b""
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def send(self, **message: Any) -> None:
        """Send a message; that nobody is there any more is for `receive` to tell."""
        line = json.dumps(message, default=str).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(line)

    def receive(self) -> list[Message] | None:
        """Wait for the other end; returns the messages that are complete, None when it is gone."""
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            return None
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def detach(self) -> None:
        """Leave this end open until the process ends."""
        self._socket.detach()
