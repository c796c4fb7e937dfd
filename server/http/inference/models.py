"""Which models there are, what they take and give, how they are served, what they have answered."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.errors import json_response
from server.http.inference.described import describe
from server.http.inference.service import Service


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
        name, version = names_of(request)
        told = await self._service.call(
            "ModelReady",
            protocol.ModelReadyRequest(name=name, version=version),
            protocol.ModelReadyResponse,
            request,
        )
        if not told.ready:
            # Raises HttpError if there is no such model, which is not told apart.
            await find_metadata(self._service, request)
        status = HTTPStatus.OK if told.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response({"name": name, "ready": told.ready}, status)

    async def config(self, request: Request) -> Response:
        """Answer .../config."""
        name, version = names_of(request)
        told = await self._service.call(
            "ModelConfig",
            protocol.ModelConfigRequest(name=name, version=version),
            protocol.ModelConfigResponse,
            request,
        )
        return json_response(describe(told.config))

    async def statistics(self, request: Request) -> Response:
        """Answer .../stats, and /v2/models/stats for all models."""
        name, version = names_of(request)
        told = await self._service.call(
            "ModelStatistics",
            protocol.ModelStatisticsRequest(name=name, version=version),
            protocol.ModelStatisticsResponse,
            request,
        )
        return json_response(describe(told))


def names_of(request: Request) -> tuple[str, str]:
    """Return the model and the version, or its label, that a path names; empty if it names none."""
    return request.path_params.get("model", ""), request.path_params.get("version", "")


async def find_metadata(service: Service, request: Request) -> protocol.ModelMetadataResponse:
    """Return the metadata of the model that a path names; raises HttpError."""
    name, version = names_of(request)
    return await service.call(
        "ModelMetadata",
        protocol.ModelMetadataRequest(name=name, version=version),
        protocol.ModelMetadataResponse,
        request,
    )
