"""uvicorn's server, with what it has no other hook for."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import uvicorn

from server.http.connections import bounds
from server.http.connections.greeting import TlsListener
from server.http.connections.writing import PIECE_BYTES
from server.supervisor.ports import BACKLOG


class Server(uvicorn.Server):
    """A server that says when it is ready, bounds its connections, and listens with TLS if there is
    a context for it.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(config)
        self._on_ready, self._context = on_ready, context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        opened = sockets or []
        await super().startup(opened if self._context is None else [])
        for one in opened:
            # uvicorn uses one number for the backlog and for connections accepted at once.
            one.listen(BACKLOG)
            # Its connections inherit it: little of an answer waits in the system.
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, PIECE_BYTES)
        if self._context is not None:
            listener = TlsListener(opened, self._make_protocol, self._context)
            # It has what uvicorn uses of it.
            self.servers.append(listener)  # type: ignore[arg-type]
        self._sweeping = asyncio.create_task(bounds.sweep(self.server_state.connections))
        self._on_ready()

    def _make_protocol(self) -> asyncio.Protocol:
        return bounds.BoundedProtocol(self.config, self.server_state, self.lifespan.state)

    def give_up(self) -> None:
        """Close all connections at once."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, bounds.BoundedProtocol):
                connection.give_up()
