"""Models and networks as JSON."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.connection.options import SERVICE
from mlpserve.models import ImageLayout, Model
from mlpserve.protocol.catalog import decode_models, decode_network, encode_network_request
from server.http.errors import json_response
from server.http.grpc_port import GrpcPort
from server.http.typed.selection import selected


class Catalog:
    """Answers what is served."""

    def __init__(self, port: GrpcPort) -> None:
        self._port = port

    async def list_models(self, request: Request) -> Response:
        """Answer /v1/models."""
        models = decode_models(await self._port.call(f"/{SERVICE}/ListModels", b"", request))
        default = next((model.name for model in models if model.is_default), "")
        return json_response(
            {
                "default_model": default,
                "grpc_address": self._port.address,
                "grpc_tls": self._port.is_encrypted,
                "models": [*map(_describe, models)],
            }
        )

    async def get_network(self, request: Request) -> Response:
        """Answer /v1/.../network: layers, weights and biases."""
        message = encode_network_request(*selected(request))
        network = decode_network(await self._port.call(f"/{SERVICE}/GetNetwork", message, request))
        return json_response(
            {
                "model": network.model,
                "version": network.version,
                "label_names": network.label_names,
                "input_range": network.input_range,
                "image_layout": _layout(network.image_layout),
                "layers": [
                    {
                        "activation": layer.activation,
                        "weights": layer.weights,
                        "biases": layer.biases,
                    }
                    for layer in network.layers
                ],
            }
        )


def _describe(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "default_version": model.default_version,
        "labels": dict(model.labels),
        "versions": [
            {
                "version": version.version,
                "is_loaded": version.is_loaded,
                "error": version.error,
                "layer_sizes": version.layer_sizes,
                "label_names": version.label_names,
                "weights_sha256": version.weights_sha256,
                "input_range": version.input_range,
                "image_layout": _layout(version.image_layout),
            }
            for version in model.versions
        ],
    }


def _layout(layout: ImageLayout | None) -> dict[str, Any] | None:
    return None if layout is None else asdict(layout)
