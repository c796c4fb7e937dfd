"""HTTP's process: answers on its parent's sockets until the parent says stop."""

import asyncio
import contextlib
import socket

import uvicorn
from starlette.types import ASGIApp

from server.http import bounds
from server.http.app import build_app
from server.http.grpc_port import GrpcPort
from server.http.parent import Parent
from server.logs.setup import configure_logs
from server.supervisor.control import Link, Message
from server.supervisor.lifeline import die_with
from server.supervisor.ports import BACKLOG

STOP_SECONDS = 1.0
"""How long readers may take to finish once this process is to exit."""


class Server(uvicorn.Server):
    """A server that tells its parent when it is ready; uvicorn has no other hook for that."""

    def __init__(self, config: uvicorn.Config, parent: Parent) -> None:
        super().__init__(config)
        self._parent = parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        await super().startup(sockets)
        for opened in sockets or ():
            # uvicorn uses one number for the backlog and for connections accepted at once.
            opened.listen(BACKLOG)
        self._sweeping = asyncio.create_task(bounds.sweep(self.server_state.connections))
        self._parent.send(event="ready")


def main() -> None:
    """Answer until the parent says stop or is gone."""
    # The standard input is the control socket.
    link = Link(socket.socket(fileno=0), is_blocking=True)
    first, *others = link.wait()
    link.set_blocking(False)
    die_with(first["parent"])
    # As plain values: reading them as flags would take longer than everything else here.
    settings = first["settings"]
    configure_logs(
        settings["log_level"], settings["log_format"], descriptor=first["log"], process="http"
    )
    sockets = [socket.socket(fileno=file) for file in first["files"]]
    parent = Parent(link, settings["worker_timeout_seconds"])
    with contextlib.closing(link):
        asyncio.run(
            _serve(parent, others, sockets, build_app(parent, first["parent"], GrpcPort(settings)))
        )


async def _serve(
    parent: Parent, already: list[Message], sockets: list[socket.socket], app: ASGIApp
) -> None:
    config = uvicorn.Config(
        app,
        http=bounds.BoundedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        # Anybody can cause warnings.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=bounds.ACCEPTED_AT_ONCE,
        timeout_keep_alive=bounds.KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=bounds.MAX_HEAD_BYTES,
    )
    server = Server(config, parent)

    def stop() -> None:
        server.should_exit = True
        asyncio.get_running_loop().call_later(STOP_SECONDS, give_up)

    def give_up() -> None:
        for connection in list(server.server_state.connections):
            if isinstance(connection, bounds.BoundedProtocol):
                connection.give_up()

    parent.listen(already, stop)
    await server.serve(sockets)


if __name__ == "__main__":
    main()
