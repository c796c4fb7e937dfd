"""Accepts connections over TLS: few are being greeted at once, and each has little time."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable

from server.http.connections.bounds import MAX_CONNECTIONS, SILENT_SECONDS

MAX_GREETINGS = MAX_CONNECTIONS // 2
"""Beyond, the one that takes longest gives way. uvicorn and asyncio have no bound."""

CLOSE_SECONDS = 1.0
"""How long the other end may take to say goodbye."""

PAUSE_SECONDS = 0.1
"""How long to wait when the system has no more files or memory."""


class TlsListener:
    """Listens on sockets; to uvicorn, a server of asyncio."""

    def __init__(
        self,
        sockets: Iterable[socket.socket],
        make_protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
    ) -> None:
        self._make_protocol, self._context = make_protocol, context
        self._loop = asyncio.get_running_loop()
        self._greetings: dict[asyncio.Task[None], socket.socket] = {}
        self._accepting = [self._loop.create_task(self._accept(opened)) for opened in sockets]

    async def _accept(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if len(self._greetings) >= MAX_GREETINGS:
                _hang_up(self._greetings.pop(next(iter(self._greetings))))
            greeting = self._loop.create_task(self._greet(accepted))
            self._greetings[greeting] = accepted
            greeting.add_done_callback(lambda done: self._greetings.pop(done, None))

    async def _greet(self, accepted: socket.socket) -> None:
        # Whoever is not a caller, or has left, does not matter.
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=SILENT_SECONDS,
                ssl_shutdown_timeout=CLOSE_SECONDS,
            )

    def close(self) -> None:
        """Accept no more."""
        for task in self._accepting:
            task.cancel()
        for accepted in self._greetings.values():
            _hang_up(accepted)

    async def wait_closed(self) -> None:
        """Wait until no connection is being greeted."""
        await asyncio.gather(*self._accepting, *self._greetings, return_exceptions=True)


def _hang_up(accepted: socket.socket) -> None:
    """End a connection that is being greeted. To cancel that would leave sockets behind, as asyncio
    does when it has not begun.
    """
    with contextlib.suppress(OSError):
        accepted.shutdown(socket.SHUT_RDWR)
