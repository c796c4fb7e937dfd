"""The HTTP application: what watches the server, the APIs, and the page."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Mount, Route, Router, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http import errors, static_files
from server.http.access import Access, Demand
from server.http.bodies import Bodies
from server.http.coding.compression import Compressed
from server.http.connections.bounds import Bodiless
from server.http.connections.identity import Identities
from server.http.monitoring.health import Health
from server.http.monitoring.metrics import Metrics
from server.http.parent import Parent
from server.settings.lists import read_list

CORS_HEADERS = (
    *("authorization", "content-encoding", "content-type", "grpc-timeout"),
    *("inference-header-content-length", "route-key", "traceparent", "x-request-id"),
)
CORS_EXPOSED = (
    *("inference-header-content-length", "retry-after", "server-timing", "www-authenticate"),
    "x-request-id",
)
"""What pages of other origins may send, and see of an answer."""


def build_app(
    parent: Parent,
    parent_pid: int,
    settings: Mapping[str, Any],
    identities: Identities | None,
) -> ASGIApp:
    """Return the application; `identities` are the certificates that gRPC shows with TLS."""
    health = Health(parent)
    routes: list[BaseRoute] = [
        Route("/metrics", Bodiless(Metrics(parent, parent_pid))),
        Route("/healthz", Bodiless(request_response(health.live))),
        Route("/readyz", Bodiless(request_response(health.ready))),
    ]
    if settings["http_api"] == "on":
        routes.append(Mount("/", _open(settings, health, identities)))
    return Starlette(routes=routes, exception_handlers=errors.HANDLERS)


def _open(settings: Mapping[str, Any], health: Health, identities: Identities | None) -> ASGIApp:
    """Return the APIs and the page, behind what guards them."""

    def build() -> ASGIApp:
        # Imported by the first request, as it takes longer than all else here.
        from server.http.apis import build_apis
        from server.http.grpc_port import GrpcPort

        return build_apis(GrpcPort(settings, identities), health)

    routes = [*static_files.routes(), Mount("/", Late(build))]
    demand = Demand(settings["tls_client_ca"] is not None, settings["http_tls"] == "on")
    app: ASGIApp = ExceptionMiddleware(Router(routes, redirect_slashes=False), errors.HANDLERS)
    app = Access(Compressed(app), Bodies(settings["max_http_body_bytes"]), demand)
    if origins := read_list(settings["http_cors_origins"]):
        app = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
        )
    return app


class Late:
    """An application that is made by its first request."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._app is None:
            async with self._making:
                if self._app is None:
                    self._app = await asyncio.to_thread(self._make)
        await self._app(scope, receive, send)
