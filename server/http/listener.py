"""Runs an ASGI application on a thread of its own."""

import socket
import threading

import uvicorn
from starlette.applications import Starlette

from server.addresses import split_address
from server.errors import StartupError


class Listener:
    """An HTTP server that listens from the moment it is made and answers from `start` to `stop`."""

    def __init__(self, address: str, application: Starlette) -> None:
        """Bind HOST:PORT; raises StartupError when it can't be had."""
        host, port = split_address(address, "--http-address")
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        try:
            self._socket = socket.create_server((host.strip("[]"), port), family=family)
        except OSError as error:
            raise StartupError(
                f"HTTP can't listen on {address} ({error.strerror}): is the port taken, or the "
                "address not this machine's? Give another --http-address"
            ) from error
        self.address = f"{host}:{self._socket.getsockname()[1]}"
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
