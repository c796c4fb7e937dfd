"""Puts the parts of a worker together: settings in, answered calls out."""

from collections.abc import Callable

import structlog

from server import memory
from server.following import Reloader
from server.loading import Loader
from server.policy import read_policies
from server.reloading import Reloads
from server.repository import Models
from server.rpc.endpoint import Endpoint
from server.settings import Settings

log = structlog.get_logger()


class Server:
    """What answers gRPC in one worker, from `start` to `stop`."""

    def __init__(self, settings: Settings, tell_others: Callable[[], None] = lambda: None) -> None:
        """`tell_others` has the other workers reload, when a caller has asked this one to."""
        self.settings = settings
        self.default_model: str | None = None
        self._reloads = Reloads(tell_others)
        policies = read_policies(
            settings.versions, settings.labels, settings.traffic, settings.shadow
        )
        loader = Loader(settings.repository, settings.default_model, policies)
        self._reloader = Reloader(loader, self._publish)

    def start(self, make_room: Callable[[], None] = lambda: None) -> None:
        """Load the models, then answer calls; raises StartupError when that can't be done.

        `make_room` has a predecessor stop listening, where only one can.
        """
        # Nothing listens before: other workers may be there to answer.
        self._grpc = Endpoint(self.settings, self._reloads)
        self.default_model = self._reloader.first().default
        self._reloader.start(self.settings.repository if self.settings.watch == "on" else None)
        self._reloads.register("models", self._reload_models)
        self._reloads.start()
        self.set_ready(True)
        self._grpc.start(make_room)

    def _publish(self, models: Models) -> None:
        if self._grpc.batcher.models is None:
            memory.settle()
        self._grpc.batcher.models = models

    def _reload_models(self) -> None:
        self._reloader.reload("asked")

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here."""
        self._grpc.set_ready(ready)

    def reload(self) -> None:
        """Read again what may have changed on disk; the parent passes SIGHUP on as this."""
        log.info("reloading")
        self._reloads.run()

    def stop(self) -> None:
        """Refuse new calls, and let those in progress end within the grace period."""
        self._reloader.stop()
        self._grpc.stop(self.settings.stop_grace_seconds)
        self._reloads.stop()
