"""The Open Inference Protocol, version 2, over HTTP: /v2, with Triton's and KServe's extensions.

Requests become messages of inference.GRPCInferenceService, whose server checks and answers them.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.http.grpc_port import GrpcPort
from server.http.inference.inferring import Inferring
from server.http.inference.models import Models
from server.http.inference.repository import Repository
from server.http.inference.service import Service
from server.http.inference.status import Status
from server.http.monitoring.health import Health
from server.http.pictures.pictures import Pictures

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(port: GrpcPort, health: Health, pictures: Pictures) -> list[BaseRoute]:
    """Return the routes of /v2, each with and without a slash at its end."""
    service = Service(port)
    status, models = Status(service, health), Models(service)
    inferring, repository = Inferring(service, pictures), Repository(service)
    found = [
        *_routes("/v2", status.server),
        *_routes("/v2/health/live", status.live),
        *_routes("/v2/health/ready", status.ready),
        *_routes("/v2/models", models.names),
        *_routes("/v2/models/stats", models.statistics),
        *_routes("/v2/repository/index", repository.index, "POST"),
        *_routes("/v2/repository/models/{model}/load", repository.load, "POST"),
        *_routes("/v2/repository/models/{model}/unload", repository.unload, "POST"),
    ]
    for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        found += [
            *_routes(model, models.metadata),
            *_routes(f"{model}/ready", models.ready),
            *_routes(f"{model}/config", models.config),
            *_routes(f"{model}/stats", models.statistics),
            *_routes(f"{model}/infer", inferring.infer, "POST"),
        ]
    return found


def _routes(path: str, endpoint: Endpoint, method: str = "GET") -> list[BaseRoute]:
    return [Route(each, endpoint, methods=[method]) for each in (path, f"{path}/")]
