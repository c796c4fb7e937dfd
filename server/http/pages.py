"""What HTTP answers: /metrics, /healthz and /readyz."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def build_pages(registry: CollectorRegistry, is_ready: Callable[[], bool]) -> Starlette:
    """Return the HTTP application; `is_ready` decides what /readyz answers."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=None, headers={"content-type": content_type})

    def live(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    def ready(_request: Request) -> Response:
        return PlainTextResponse("ready\n") if is_ready() else PlainTextResponse("not ready\n", 503)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", live), Route("/readyz", ready)]
    )
