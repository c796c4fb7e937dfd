"""The typed API as JSON, /v1: what mlpserve.v1.Classifier answers."""

from starlette.routing import BaseRoute, Route

from server.http.grpc_port import GrpcPort
from server.http.pictures.pictures import Pictures
from server.http.typed.models import Models
from server.http.typed.predicting import Predicting

SELECTIONS = (
    "",
    "/models/{model}",
    "/models/{model}/versions/{version}",
    "/models/{model}/labels/{label}",
)
"""What is chosen in a path: nothing for the default model, or the version that answers others."""


def routes(port: GrpcPort, pictures: Pictures) -> list[BaseRoute]:
    """Return the routes below /v1; without a model they concern the default one."""
    models, predicting = Models(port), Predicting(port, pictures)
    found: list[BaseRoute] = [
        Route("/models", models.list_models),
        Route("/models/{model}", models.get_model),
    ]
    for selection in SELECTIONS:
        found.append(Route(f"{selection}/network", models.get_network))
        found.append(Route(f"{selection}/predict", predicting.predict, methods=["POST"]))
    return found
