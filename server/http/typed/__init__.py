"""The typed API as JSON, /v1: what mlpserve.v1.Classifier answers."""

from starlette.routing import BaseRoute, Route

from server.http.grpc_port import GrpcPort
from server.http.typed.catalog import Catalog
from server.http.typed.predicting import Predicting


def routes(port: GrpcPort) -> list[BaseRoute]:
    """Return the routes below /v1; without a model they concern the default one."""
    catalog, predicting = Catalog(port), Predicting(port)
    found: list[BaseRoute] = [Route("/models", catalog.list_models)]
    for which in (
        "",
        "/models/{model}",
        "/models/{model}/versions/{version}",
        "/models/{model}/labels/{label}",
    ):
        found.append(Route(f"{which}/network", catalog.get_network))
        found.append(Route(f"{which}/predict", predicting.predict, methods=["POST"]))
    return found
