"""The gRPC server on its port: Predict, health and reflection."""

from concurrent import futures

import grpc
from grpc_reflection.v1alpha import reflection

from server.addresses import split_address
from server.errors import StartupError
from server.rpc import classifier, health
from server.rpc.handlers import mount
from server.rpc.instrumentation import Instrumentation
from server.settings import Settings


class Endpoint:
    """A gRPC server that listens, and answers Predict once `classifier.models` is set."""

    def __init__(self, settings: Settings) -> None:
        """Bind the port; raises StartupError when the address can't be had."""
        self.classifier = classifier.Classifier(settings.max_batch_size)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(settings.threads, thread_name_prefix="grpc"),
            interceptors=[Instrumentation()],
            options=(
                # Without it, a second server would take half of the connections instead of an
                # error.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", settings.max_message_bytes),
            ),
            maximum_concurrent_rpcs=settings.max_concurrent_calls,
        )
        mount(self._server, classifier.SERVICE, {"Predict": self.classifier.predict})
        self._health = health.Health(self._server, (classifier.SERVICE,))
        names = (classifier.SERVICE, health.NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.address = self._bind(settings.grpc_address)

    def _bind(self, address: str) -> str:
        host, _ = split_address(address, "--grpc-address")
        try:
            return f"{host}:{self._server.add_insecure_port(address)}"
        except RuntimeError as error:
            raise StartupError(
                f"gRPC can't listen on {address}: is the port taken, or the address not this "
                "machine's? Give another --grpc-address"
            ) from error

    def start(self) -> None:
        """Answer calls; health says alive but not ready."""
        self._server.start()

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here."""
        self._health.set_ready(ready)

    def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let those in progress end within the grace period, and close."""
        stopped = self._server.stop(grace_seconds)
        self._health.end_watches()
        stopped.wait()
