"""The protocol's repository extension: lists all versions, loads and unloads models."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.bodies import read_body
from server.http.errors import json_response
from server.http.inference import fields
from server.http.inference.described import describe
from server.http.inference.service import Service

MAX_BODY_BYTES = 64 * 1024


class Repository:
    """Answers for the repository."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def index(self, request: Request) -> Response:
        """Answer /v2/repository/index."""
        content = await _read(request)
        told = await self._service.call(
            "RepositoryIndex",
            protocol.RepositoryIndexRequest(ready=fields.read_flag(content, "ready") or False),
            protocol.RepositoryIndexResponse,
            request,
        )
        return json_response([describe(model) for model in told.models])

    async def load(self, request: Request) -> Response:
        """Answer .../load."""
        message = protocol.RepositoryModelLoadRequest(model_name=request.path_params["model"])
        fields.fill_parameters(message.parameters, fields.read_parameters(await _read(request)))
        await self._service.call(
            "RepositoryModelLoad", message, protocol.RepositoryModelLoadResponse, request
        )
        return json_response({})

    async def unload(self, request: Request) -> Response:
        """Answer .../unload."""
        message = protocol.RepositoryModelUnloadRequest(model_name=request.path_params["model"])
        fields.fill_parameters(message.parameters, fields.read_parameters(await _read(request)))
        await self._service.call(
            "RepositoryModelUnload", message, protocol.RepositoryModelUnloadResponse, request
        )
        return json_response({})


async def _read(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request that may have none; raises HttpError."""
    body = await read_body(request, MAX_BODY_BYTES)
    return fields.parse_object(body) if body.strip() else {}
