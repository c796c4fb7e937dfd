"""Predict as JSON."""

import time
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from mlpserve.connection.options import SERVICE
from mlpserve.images import as_pixels
from mlpserve.prediction import Prediction
from mlpserve.protocol.predict import decode_response, encode_head, encode_request
from server.http.bodies import read_json
from server.http.errors import HttpError, json_response
from server.http.grpc_port import GrpcPort
from server.http.typed.selection import selected


class Predicting:
    """Answers predictions."""

    def __init__(self, port: GrpcPort) -> None:
        self._port = port

    async def predict(self, request: Request) -> Response:
        """Answer /v1/.../predict."""
        content = await read_json(request)
        model, version, label = selected(request)
        head = encode_head(
            model,
            version,
            label,
            content.get("hidden_activations") is True,
            content.get("canonicalize") is True,
        )
        try:
            pixels = as_pixels(np.asarray(content.get("pixels"), np.float32))
        except (TypeError, ValueError) as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"pixels: {error}") from error
        begin = time.perf_counter()
        message = encode_request(head, pixels)
        prediction = decode_response(await self._port.call(f"/{SERVICE}/Predict", message, request))
        milliseconds = 1000 * (time.perf_counter() - begin)
        return json_response(
            describe(prediction), headers={"server-timing": f"grpc;dur={milliseconds:.3f}"}
        )


def describe(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as JSON has it."""
    content: dict[str, Any] = {
        "model": prediction.model,
        "version": prediction.version,
        "labels": prediction.labels,
        "label_names": prediction.label_names,
        "activations": prediction.activations,
    }
    if prediction.hidden_layers:
        content["hidden_layers"] = prediction.hidden_layers
    if (done := prediction.canonicalization) is not None:
        content["canonicalization"] = {
            "inverted": done.inverted,
            "scales": done.scales,
            "shifts": done.shifts,
        }
    return content
