"""The start: takes the ports and starts the processes, before anything slow is imported."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from server.errors import StartupError
from server.settings.addresses import is_socket
from server.settings.settings import Settings
from server.supervisor import ports, process
from server.supervisor.process import Child
from server.supervisor.signals import Signals
from server.system import cores


@dataclass(frozen=True, slots=True)
class Launched:
    """What has been started, at `begin` by time.perf_counter.

    `settings` have the number of workers and the ports in use; `start_worker` and `start_http`
    start replacements; `resources` are to be closed at the end.
    """

    settings: Settings
    begin: float
    signals: Signals
    http_address: str
    workers: tuple[Child, ...]
    http: Child | None
    start_worker: Callable[[int, Sequence[list[Any]], Sequence[str], str | None], Child]
    start_http: Callable[[], Child]
    resources: contextlib.ExitStack


def launch(settings: Settings) -> Launched:
    """Take both ports and start the processes; raises StartupError."""
    begin = time.perf_counter()
    with contextlib.ExitStack() as resources:
        # First, so that a signal during the start also stops the server in order.
        signals = resources.enter_context(contextlib.closing(Signals()))
        http_address, listening = ports.listen(settings.http_address, "--http-address")
        for opened in listening:
            resources.enter_context(opened)
        grpc_address, holders = ports.claim(settings.grpc_address, "--grpc-address")
        for holder in holders:
            resources.enter_context(holder)
        # Only a port can be shared.
        alone = is_socket(settings.grpc_address)
        number = settings.workers or (1 if alone else cores.usable_cores())
        settings = replace(
            settings, workers=number, grpc_address=grpc_address, http_address=http_address
        )
        start_worker = partial(process.start_worker, settings)
        start_http = partial(process.start_http, settings, listening)
        try:
            workers = tuple(map(start_worker, range(number)))
            http = start_http()
        except OSError as error:
            raise StartupError(
                f"{number} worker processes can't be started ({error.strerror}); give fewer "
                "--workers"
            ) from error
        return Launched(
            settings,
            begin,
            signals,
            http_address,
            workers,
            http,
            start_worker,
            start_http,
            resources.pop_all(),
        )
