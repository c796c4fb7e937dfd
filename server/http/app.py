"""The HTTP application: what watches the server, the APIs, and the page."""

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, request_response
from starlette.types import ASGIApp

from server.http import errors, inference, static_files, typed
from server.http.bounds import RefuseBodies
from server.http.grpc_port import GrpcPort
from server.http.monitoring.health import Health
from server.http.monitoring.metrics import Metrics
from server.http.parent import Parent
from server.http.pictures.pictures import Pictures


def build_app(parent: Parent, parent_pid: int, port: GrpcPort) -> ASGIApp:
    """Return the application; its APIs ask the gRPC port."""
    health = Health(parent)
    routes: list[BaseRoute] = [
        Route("/metrics", RefuseBodies(Metrics(parent, parent_pid)), methods=["GET"]),
        Route("/healthz", RefuseBodies(request_response(health.live)), methods=["GET"]),
        Route("/readyz", RefuseBodies(request_response(health.ready)), methods=["GET"]),
        Mount("/v1", routes=typed.routes(port, Pictures(port))),
        *inference.routes(port, health),
        *static_files.routes(),
    ]
    return Starlette(routes=routes, exception_handlers=errors.HANDLERS)
