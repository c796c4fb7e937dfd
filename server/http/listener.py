"""Runs an ASGI application on a thread of its own."""

import socket
import threading

import uvicorn
from starlette.applications import Starlette


class Listener:
    """An HTTP server on a socket that listens already; it answers from `start` to `stop`."""

    def __init__(self, listening: socket.socket, application: Starlette) -> None:
        self._socket = listening
        config = uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    def start(self) -> None:
        """Answer requests, on a thread of their own."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what has arrived, and close."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()
