"""Messages between the parent and the processes that it starts, as frames over a pair of sockets.

A frame is two lengths, a JSON object, and bytes that only their final reader interprets.
"""

import json
import os
import socket
import struct
import threading
from collections import deque
from typing import Any

Message = dict[str, Any]

PAYLOAD = "payload"
"""The key of a received message for the bytes that came with it."""

CHUNK_BYTES = 1 << 20
MAX_JSON_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 28

_LENGTHS = struct.Struct(">II")


class Broken(Exception):
    """What has arrived is not a frame, so that the start of the next one is unknown."""


def _parse(text: bytearray) -> Message:
    """Return the object, an empty one for invalid JSON: the frames behind it are still valid."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


class Link:
    """One end. `send` may be called from any thread, everything else from one.

    The parent's end, which serves a loop that waits for several, never blocks.
    """

    def __init__(self, end: socket.socket, *, is_blocking: bool = False) -> None:
        self._socket = end
        self._begun = bytearray()
        self._waiting: deque[memoryview] = deque()
        self._lock = threading.Lock()
        self.waiting_bytes = 0
        self.set_blocking(is_blocking)

    def set_blocking(self, is_blocking: bool) -> None:
        """Have `send` and `receive` wait for the other end, or not."""
        self._socket.setblocking(is_blocking)

    def fileno(self) -> int:
        """Return the descriptor, for a selector; -1 when it is closed."""
        return self._socket.fileno()

    def send(self, *payload: bytes, **message: Any) -> None:
        """Send a message; what the other end has no room for is kept until `flush`."""
        text = json.dumps(message, default=str).encode()
        parts = [_LENGTHS.pack(len(text), sum(map(len, payload))) + text, *payload]
        with self._lock:
            self._waiting += map(memoryview, parts)
            self.waiting_bytes += sum(map(len, parts))
            self._flush()

    def flush(self) -> None:
        """Send what is kept, as far as the other end has room."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting:
                part = self._waiting.popleft()
                sent = self._socket.send(part)
                self.waiting_bytes -= sent
                if sent < len(part):
                    self._waiting.appendleft(part[sent:])
        except BlockingIOError:
            self._waiting.appendleft(part)
        except OSError:
            # If the other end is gone, `receive` will say so.
            self._waiting.clear()
            self.waiting_bytes = 0

    def receive(self) -> list[Message] | None:
        """Return the messages that are complete by now, None when the other end is gone.

        Raises Broken when the rest can't be understood.
        """
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            chunk = b""
        self._begun += chunk
        return self._take() if chunk else None

    def _take(self) -> list[Message]:
        messages = []
        while len(self._begun) >= _LENGTHS.size:
            text, payload = _LENGTHS.unpack_from(self._begun)
            if text > MAX_JSON_BYTES or payload > MAX_PAYLOAD_BYTES:
                raise Broken(f"a message of {text} and {payload} bytes")
            middle = _LENGTHS.size + text
            if len(self._begun) < middle + payload:
                break
            message = _parse(self._begun[_LENGTHS.size : middle])
            if payload:
                message[PAYLOAD] = bytes(memoryview(self._begun)[middle : middle + payload])
            del self._begun[: middle + payload]
            messages.append(message)
        return messages

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def detach(self) -> None:
        """Leave this end open until the process exits."""
        self._socket.detach()

    def wait(self) -> list[Message]:
        """Return the next messages of an end that blocks; exit if the other end is gone."""
        while (messages := self.receive()) is not None:
            if messages:
                return messages
        os._exit(1)
