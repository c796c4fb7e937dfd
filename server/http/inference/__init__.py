"""The Open Inference Protocol, version 2, over HTTP: /v2, with Triton's and KServe's extensions.

Requests become messages of inference.GRPCInferenceService, whose server checks and answers them.
"""

from starlette.routing import BaseRoute, Route

from server.http.grpc_port import GrpcPort
from server.http.inference.inferring import Inferring
from server.http.inference.models import Models
from server.http.inference.repository import Repository
from server.http.inference.service import Service
from server.http.inference.status import Status
from server.http.monitoring.health import Health
from server.http.pictures.pictures import Pictures

SELECTIONS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
"""What is chosen in a path: the version that answers others, or one of those there are."""


def routes(port: GrpcPort, health: Health, pictures: Pictures) -> list[BaseRoute]:
    """Return the routes of /v2."""
    service = Service(port)
    status, models = Status(service, health), Models(service)
    inferring, repository = Inferring(service, pictures), Repository(service)
    infer = inferring.infer
    # What is asked most comes first.
    found: list[BaseRoute] = [
        *(Route(f"{model}/infer", infer, methods=["POST"]) for model in SELECTIONS),
        Route("/v2", status.server),
        Route("/v2/health/live", status.live),
        Route("/v2/health/ready", status.ready),
        Route("/v2/models", models.names),
        Route("/v2/models/stats", models.statistics),
        Route("/v2/repository/index", repository.index, methods=["POST"]),
        Route("/v2/repository/models/{model}/load", repository.load, methods=["POST"]),
        Route("/v2/repository/models/{model}/unload", repository.unload, methods=["POST"]),
    ]
    for model in SELECTIONS:
        found += [
            Route(model, models.metadata),
            Route(f"{model}/ready", models.ready),
            Route(f"{model}/config", models.config),
            Route(f"{model}/stats", models.statistics),
        ]
    return found
