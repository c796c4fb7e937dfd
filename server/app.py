"""Puts the parts of a worker together: settings in, answered calls out."""

import structlog

from server import memory, metrics
from server.repository import load_newest
from server.rpc.endpoint import Endpoint
from server.settings import Settings

log = structlog.get_logger()


class Server:
    """What answers gRPC in one worker, from `start` to `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.default_model: str | None = None

    def start(self) -> None:
        """Load the models, then answer calls; raises StartupError when that can't be done."""
        # Nothing listens before: other workers may be there to answer.
        models = load_newest(self.settings.repository, self.settings.default_model)
        for model in models.by_name.values():
            metrics.describe_model(model)
            log.info(
                "model loaded",
                model=model.name,
                version=model.version,
                layer_sizes=list(model.layer_sizes),
                parameters=model.parameters,
                golden_difference=model.golden_difference,
                seconds=round(model.load_seconds, 4),
            )
        memory.settle()
        self.default_model = models.default
        self._grpc = Endpoint(self.settings)
        self._grpc.batcher.models = models
        self.set_ready(True)
        self._grpc.start()

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here."""
        self._grpc.set_ready(ready)

    def reload(self) -> None:
        """Read again what may have changed on disk; the parent passes SIGHUP on as this."""
        log.info("reloading")

    def stop(self) -> None:
        """Refuse new calls, and let those in progress end within the grace period."""
        self._grpc.stop(self.settings.stop_grace_seconds)
