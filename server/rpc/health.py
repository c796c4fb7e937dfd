"""Health for probes: "" asks whether the process lives, a service's name whether it is ready."""

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

NAME = health.SERVICE_NAME


class Health:
    """The grpc.health.v1 state of some services, NOT_SERVING until `set_ready(True)`."""

    def __init__(self, server: grpc.Server, services: tuple[str, ...]) -> None:
        self._services = services
        self._servicer = health.HealthServicer()
        self.set_ready(False)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def set_ready(self, ready: bool) -> None:
        """Answer SERVING or NOT_SERVING for every service from now on."""
        status = health_pb2.HealthCheckResponse
        for service in self._services:
            self._servicer.set(service, status.SERVING if ready else status.NOT_SERVING)
