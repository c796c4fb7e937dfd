"""The HTTP application: what watches the server, the APIs, and the pages."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Router, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http import static_files
from server.http.access import Access, Demand
from server.http.bodies import Bodies
from server.http.coding.compression import Compressed
from server.http.connections.bounds import Bodiless
from server.http.connections.identity import Identities
from server.http.connections.writing import InPieces
from server.http.errors import explain
from server.http.monitoring.health import Health
from server.http.monitoring.metrics import Metrics
from server.http.parent import Parent
from server.http.paths.sections import Sections
from server.settings.lists import read_list

CORS_HEADERS = (
    *("authorization", "content-encoding", "content-type", "grpc-timeout"),
    *("inference-header-content-length", "route-key", "traceparent", "x-request-id"),
    "x-server-timing",
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
    watching = {
        "/metrics": Bodiless(Metrics(parent, parent_pid)),
        "/healthz": Bodiless(request_response(health.live)),
        "/readyz": Bodiless(request_response(health.ready)),
    }
    others = _open(settings, health, identities) if settings["http_api"] == "on" else _nothing

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        await watching.get(scope["path"], others)(scope, receive, send)

    return InPieces(choose)


def _open(settings: Mapping[str, Any], health: Health, identities: Identities | None) -> ASGIApp:
    """Return the APIs and the pages, behind what guards them."""

    def build() -> ASGIApp:
        # Imported by the first request, as it takes longer than all else here.
        from server.http.apis import build_apis
        from server.http.grpc_port import GrpcPort

        return build_apis(GrpcPort(settings, identities), health)

    pages = Router(static_files.routes(), redirect_slashes=False)
    # Paths are compared one by one in a router.
    app: ASGIApp = Sections(dict.fromkeys(("", "watch", "static"), pages), Late(build))
    demand = Demand(settings["tls_client_ca"] is not None, settings["http_tls"] == "on")
    app = Compressed(Access(app, Bodies(settings["max_http_body_bytes"]), demand))
    if origins := read_list(settings["http_cors_origins"]):
        app = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
        )
    return app


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer where there is nothing."""
    refusal = explain(HTTPException(HTTPStatus.NOT_FOUND), scope)
    await refusal.response()(scope, receive, send)


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
