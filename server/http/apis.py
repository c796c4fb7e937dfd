"""The APIs, which ask the gRPC port. What only they need is imported with this."""

from functools import partial

from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp

from server.http import inference, typed
from server.http.grpc_port import GrpcPort
from server.http.monitoring.health import Health
from server.http.openapi import document
from server.http.paths.sections import Sections
from server.http.pictures.pictures import Pictures


def build_apis(port: GrpcPort, health: Health) -> ASGIApp:
    """Return the APIs."""
    make = partial(Router, redirect_slashes=False)
    return Sections({name: make(each) for name, each in routes(port, health).items()}, make())


def routes(port: GrpcPort, health: Health) -> dict[str, list[BaseRoute]]:
    """Return the APIs' routes by the first part of their paths."""
    pictures = Pictures(port)
    return {
        "v1": typed.routes(port, pictures),
        "v2": inference.routes(port, health, pictures),
        document.NAME: document.routes(),
    }
