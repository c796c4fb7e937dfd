"""What HTTP answers: /metrics, /healthz and /readyz."""

from collections.abc import Callable

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

OPEN_METRICS = "application/openmetrics-text"


def build_pages(write_metrics: Callable[[bool], str], is_ready: Callable[[], bool]) -> Starlette:
    """Return the HTTP application.

    `write_metrics` returns the page of metrics, as OpenMetrics or not; `is_ready` decides what
    /readyz answers.
    """

    def metrics(request: Request) -> Response:
        _, content_type = choose_encoder(request.headers.get("accept", ""))
        page = write_metrics(content_type.startswith(OPEN_METRICS))
        return Response(page, media_type=None, headers={"content-type": content_type})

    def live(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    def ready(_request: Request) -> Response:
        return PlainTextResponse("ready\n") if is_ready() else PlainTextResponse("not ready\n", 503)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", live), Route("/readyz", ready)]
    )
