"""The start: takes the ports and starts the workers, before anything that is slow to import."""

import contextlib
import socket
import time
from dataclasses import dataclass, replace

from server.addresses import is_socket
from server.errors import StartupError
from server.settings import Settings
from server.workers import cores, ports, process
from server.workers.process import Worker
from server.workers.signals import Signals


@dataclass(frozen=True, slots=True)
class Launched:
    """What runs already: `begin` is when that began, by time.perf_counter.

    In `settings` the number of workers and the port of gRPC are those in use; `resources` are to be
    closed at the end.
    """

    settings: Settings
    begin: float
    signals: Signals
    http: socket.socket
    http_address: str
    workers: tuple[Worker, ...]
    resources: contextlib.ExitStack


def launch(settings: Settings) -> Launched:
    """Take both ports and start the workers; raises StartupError when that can't be done."""
    begin = time.perf_counter()
    with contextlib.ExitStack() as resources:
        # Before anything slow, so that a signal meanwhile ends the server in order as well.
        signals = resources.enter_context(contextlib.closing(Signals()))
        http, http_address = ports.listen(settings.http_address, "--http-address")
        resources.enter_context(http)
        claim = ports.claim(settings.grpc_address, "--grpc-address")
        resources.enter_context(contextlib.closing(claim))
        # Only a port can be shared.
        alone = is_socket(settings.grpc_address)
        number = settings.workers or (1 if alone else cores.usable_cores())
        settings = replace(settings, workers=number, grpc_address=claim.address)
        try:
            workers = tuple(process.start(index, settings) for index in range(number))
        except OSError as error:
            raise StartupError(
                f"{number} worker processes can't be started ({error.strerror}); give fewer "
                "--workers"
            ) from error
        return Launched(settings, begin, signals, http, http_address, workers, resources.pop_all())
