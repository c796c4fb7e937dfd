"""Which models there are, what they take and give, how they are served, what they have answered."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.errors import json_response
from server.http.inference.described import describe
from server.http.inference.service import Service, names_of


class Models:
    """Answers questions about models."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def names(self, request: Request) -> Response:
        """Answer /v2/models: the names of those that have a version that is ready."""
        index = await self._service.call(
            "RepositoryIndex",
            protocol.RepositoryIndexRequest(ready=True),
            protocol.RepositoryIndexResponse,
            request,
        )
        return json_response({"models": sorted({model.name for model in index.models})})

    async def metadata(self, request: Request) -> Response:
        """Answer /v2/models/MODEL: inputs, outputs and properties."""
        return json_response(describe(await find_metadata(self._service, request)))

    async def ready(self, request: Request) -> Response:
        """Answer .../ready: 404 for a model that isn't loaded, 503 while none is welcome."""
        told = await self._service.call_about(
            "ModelReady",
            protocol.ModelReadyRequest,
            protocol.ModelReadyResponse,
            request,
        )
        if not told.ready:
            # Raises HttpError if there is no such model, which is not told apart.
            await find_metadata(self._service, request)
        status = HTTPStatus.OK if told.ready else HTTPStatus.SERVICE_UNAVAILABLE
        name, _ = names_of(request)
        return json_response({"name": name, "ready": told.ready}, status)

    async def config(self, request: Request) -> Response:
        """Answer .../config."""
        told = await self._service.call_about(
            "ModelConfig",
            protocol.ModelConfigRequest,
            protocol.ModelConfigResponse,
            request,
        )
        return json_response(describe(told.config))

    async def statistics(self, request: Request) -> Response:
        """Answer .../stats, and /v2/models/stats for all models."""
        told = await self._service.call_about(
            "ModelStatistics",
            protocol.ModelStatisticsRequest,
            protocol.ModelStatisticsResponse,
            request,
        )
        return json_response(describe(told))


async def find_metadata(service: Service, request: Request) -> protocol.ModelMetadataResponse:
    """Return the metadata of the model that a path names; raises HttpError."""
    return await service.call_about(
        "ModelMetadata",
        protocol.ModelMetadataRequest,
        protocol.ModelMetadataResponse,
        request,
    )
