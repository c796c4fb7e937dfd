"""The typed API as JSON, /v1: what mlpserve.v1.Classifier answers."""

from starlette.routing import BaseRoute, Route

from server.http.grpc_port import GrpcPort
from server.http.pictures.pictures import Pictures
from server.http.typed.models import Models
from server.http.typed.predicting import Predicting

SELECTIONS = (
    "/v1",
    "/v1/models/{model}",
    "/v1/models/{model}/versions/{version}",
    "/v1/models/{model}/labels/{label}",
)
"""What is chosen in a path: nothing for the default model, or the version that answers others."""


def routes(port: GrpcPort, pictures: Pictures) -> list[BaseRoute]:
    """Return the routes of /v1; without a model they concern the default one."""
    models, predicting = Models(port), Predicting(port, pictures)
    # What is asked most comes first.
    return [
        *(Route(f"{path}/predict", predicting.predict, methods=["POST"]) for path in SELECTIONS),
        *(Route(f"{path}/network", models.get_network) for path in SELECTIONS),
        Route("/v1/models", models.list_models),
        Route("/v1/models/{model}", models.get_model),
    ]
