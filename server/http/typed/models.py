"""Models and networks as JSON."""

from http import HTTPStatus
from itertools import pairwise

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.connection.options import SERVICE
from mlpserve.models import ModelVersion, find_model
from mlpserve.protocol.catalog import decode_network, encode_network_request
from server.http.aside import aside
from server.http.catalog import find_version, list_models
from server.http.errors import HttpError, json_response
from server.http.grpc_port import GrpcPort
from server.http.paths.selection import selected
from server.http.typed.answers import describe_model, describe_network

MAX_WEIGHTS = 1_000_000
"""Weights and biases of a network; to write more would keep other requests waiting."""


class Models:
    """Answers what is served."""

    def __init__(self, port: GrpcPort) -> None:
        self._port = port

    async def list_models(self, request: Request) -> Response:
        """Answer /v1/models."""
        models = await list_models(self._port, request)
        default = next((model.name for model in models if model.is_default), "")
        return json_response(
            {
                "default_model": default,
                "grpc_address": self._port.address,
                "grpc_tls": self._port.is_encrypted,
                "models": [*map(describe_model, models)],
            }
        )

    async def get_model(self, request: Request) -> Response:
        """Answer /v1/models/{model}."""
        selection = selected(request)
        model = find_model(await list_models(self._port, request), selection.model)
        if model is None:
            # Ends with gRPC's own words for what is not there.
            model, _ = await find_version(self._port, request, selection)
        return json_response(describe_model(model))

    async def get_network(self, request: Request) -> Response:
        """Answer /v1/.../network: layers, weights and biases."""
        selection = selected(request)
        _, version = await find_version(self._port, request, selection)
        if (n_weights := count_weights(version)) > MAX_WEIGHTS:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the network has {n_weights} weights and biases, more than the {MAX_WEIGHTS} "
                "that are sent as JSON; call gRPC's GetNetwork instead",
                reason="ANSWER_NUMBERS",
            )
        message = encode_network_request(*selection)
        answer = await self._port.call(f"/{SERVICE}/GetNetwork", message, request)
        network = describe_network(decode_network(answer))
        return await aside(len(answer), json_response, network)


def count_weights(version: ModelVersion) -> int:
    """Return how many weights and biases a version has."""
    return sum((before + 1) * neurons for before, neurons in pairwise(version.layer_sizes))
