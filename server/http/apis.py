"""The APIs, which ask the gRPC port. What only they need is imported with this."""

from starlette.routing import Mount, Router
from starlette.types import ASGIApp

from server.http import inference, typed
from server.http.grpc_port import GrpcPort
from server.http.monitoring.health import Health
from server.http.openapi import document
from server.http.pictures.pictures import Pictures


def build_apis(port: GrpcPort, health: Health) -> ASGIApp:
    """Return the APIs."""
    pictures = Pictures(port)
    return Router(
        [
            Mount("/v1", routes=typed.routes(port, pictures)),
            *inference.routes(port, health, pictures),
            *document.routes(),
        ]
    )
