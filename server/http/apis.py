"""The APIs, which ask the gRPC port. What only they need is imported with this."""

from starlette.routing import Mount, Router
from starlette.types import ASGIApp

from server.http import typed
from server.http.grpc_port import GrpcPort
from server.http.monitoring.health import Health


def build_apis(port: GrpcPort, _health: Health) -> ASGIApp:
    """Return the APIs."""
    return Router([Mount("/v1", routes=typed.routes(port))])
