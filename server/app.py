"""Puts the parts together: settings in, running server out."""

import signal
import threading
import time
from types import FrameType

import structlog

from server import memory, metrics
from server.errors import StartupError
from server.following import Reloader
from server.http.listener import Listener
from server.http.pages import build_pages
from server.loading import Loader
from server.policy import read_policies
from server.reloading import Reloads
from server.repository import Models
from server.rpc.endpoint import Endpoint
from server.settings import Settings

log = structlog.get_logger()


class Server:
    """One server from start to stop: `run` is startup, then waiting for a signal, then shutdown."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ready = False
        self.reloads = Reloads()
        policies = read_policies(
            settings.versions, settings.labels, settings.traffic, settings.shadow
        )
        loader = Loader(settings.repository, settings.default_model, policies)
        self._reloader = Reloader(loader, self._publish)
        self._stop = threading.Event()
        self._hurry = threading.Event()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises StartupError when the server can't start."""
        # Before anything slow, so that a signal while models load ends the process in order as
        # well.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        self._start()
        try:
            self._stop.wait()
        finally:
            self._shut_down()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        # Not here, where it would hold up whatever the signal has interrupted.
        threading.Thread(target=self.reloads.run, name="reload", daemon=True).start()

    def _reload_models(self) -> None:
        self._reloader.reload("asked")

    def _publish(self, models: Models) -> None:
        if self._grpc.batcher.models is None:
            memory.settle()
        self._grpc.batcher.models = models

    def _start(self) -> None:
        begin = time.perf_counter()
        settings = self.settings
        self._http = Listener(
            settings.http_address, build_pages(metrics.REGISTRY, lambda: self.ready)
        )
        try:
            self._grpc = Endpoint(settings, self.reloads)
        except StartupError:
            self._http.stop()
            raise
        self._http.start()
        self._grpc.start()
        try:
            models = self._reloader.first()
        except BaseException:
            self._grpc.stop(0)
            self._http.stop()
            raise
        self._reloader.start(settings.repository if settings.watch == "on" else None)
        self.reloads.register("models", self._reload_models)
        self.reloads.start()
        self._set_ready(True)
        log.info(
            "serving",
            grpc=self._grpc.address,
            http=self._http.address,
            default_model=models.default,
            seconds=round(time.perf_counter() - begin, 4),
        )

    def _set_ready(self, ready: bool) -> None:
        self.ready = ready
        self._grpc.set_ready(ready)

    def _shut_down(self) -> None:
        """Stop in the order that loses no call: say it, wait until balancers know, then refuse new
        calls.
        """
        self._set_ready(False)
        log.info("draining", seconds=self.settings.drain_delay_seconds)
        self._hurry.wait(self.settings.drain_delay_seconds)
        self._reloader.stop()
        self._grpc.stop(self.settings.stop_grace_seconds)
        self._http.stop()
        self.reloads.stop()
        log.info(
            "stopped",
            calls_started=metrics.total(metrics.STARTED),
            calls_handled=metrics.total(metrics.HANDLED),
        )
