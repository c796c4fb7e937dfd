"""Answers as they leave: a small one in one write, a large one in pieces."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.connections.caller import caller_of

PIECE_BYTES = 64 * 1024
"""What is written at a time, and may wait for a reader in this process, and in the system."""

_INFO_BYTES, _ACKNOWLEDGED = 128, 120
"""Of Linux' struct tcp_info: how much of it is asked for, and where tcpi_bytes_acked stands."""


class InPieces:
    """An application whose answers leave as fast as they are read, so that little is buffered.

    Sending a large answer ends when its reader has nearly all of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        start: Message | None = None

        async def send_pieces(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            begun, start = start, None
            with caller_of(scope).one_write():
                if begun is not None:
                    await send(begun)
                if len(message.get("body", b"")) <= PIECE_BYTES:
                    await send(message)
                    return
            rest = memoryview(message["body"])
            while rest:
                piece, rest = rest[:PIECE_BYTES], rest[PIECE_BYTES:]
                await send({"type": message["type"], "body": piece, "more_body": True})
            # This one waits until there is room for more.
            await send({**message, "body": b""})

        await self._app(scope, receive, send_pieces)


class JoiningTransport:
    """A transport that can join several writes to one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes] | None = None

    def __getattr__(self, name: str) -> Any:
        """Return what else the transport has."""
        return getattr(self._transport, name)

    @contextlib.contextmanager
    def one_write(self) -> Iterator[None]:
        """Send what is written in the block when it ends."""
        self._parts = []
        try:
            yield
        finally:
            self._flush()

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them until the block ends."""
        if self._parts is None:
            self._transport.write(data)
        else:
            self._parts.append(data)

    def close(self) -> None:
        """Close the connection once all is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, None
        if parts:
            self._transport.write(b"".join(parts))


def acknowledged(transport: asyncio.Transport) -> int:
    """Return how many bytes the other end of a connection has received."""
    opened = transport.get_extra_info("socket")
    try:
        information = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        (count,) = struct.unpack_from("Q", information, _ACKNOWLEDGED)
    except (OSError, struct.error):
        # It is closed, or the system has no such count; what waits here tells nearly as much.
        return -transport.get_write_buffer_size()
    return int(count)
