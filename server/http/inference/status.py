"""What the server is, and whether it lives and is ready."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.errors import json_response
from server.http.inference.described import describe
from server.http.inference.service import Service
from server.http.monitoring.health import Health


class Status:
    """Answers questions about the server."""

    def __init__(self, service: Service, health: Health) -> None:
        self._service, self._health = service, health

    async def server(self, request: Request) -> Response:
        """Answer /v2: name, version and extensions."""
        told = await self._service.call(
            "ServerMetadata",
            protocol.ServerMetadataRequest(),
            protocol.ServerMetadataResponse,
            request,
        )
        return json_response(describe(told))

    async def live(self, _request: Request) -> Response:
        """Answer /v2/health/live, as /healthz does."""
        return _answer("live", self._health.is_live)

    async def ready(self, _request: Request) -> Response:
        """Answer /v2/health/ready, as /readyz does."""
        return _answer("ready", await self._health.is_ready())


def _answer(name: str, is_so: bool) -> Response:
    status = HTTPStatus.OK if is_so else HTTPStatus.SERVICE_UNAVAILABLE
    return json_response({name: is_so}, status)
