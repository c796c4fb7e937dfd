"""Inference responses: JSON, and behind it the values of outputs that are wanted in binary form."""

import math
from typing import Any

import numpy as np
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.errors import json_response
from server.http.inference import parts
from server.http.inference.described import describe
from server.http.inference.elements import split_elements
from server.http.inference.fields import invalid
from server.http.inference.requests import Forms
from server.http.inference.tensors import TEXTS

_TYPES = {"FP32": "<f4", "INT64": "<i8"}


def write_response(answer: protocol.ModelInferResponse, forms: Forms) -> Response:
    """Return a response with the answer, whose values are all raw; raises HttpError."""
    content: dict[str, Any] = {
        "model_name": answer.model_name,
        "model_version": answer.model_version,
    }
    if answer.id:
        content["id"] = answer.id
    if answer.parameters:
        content["parameters"] = _parameters(answer)
    outputs, binary = [], []
    for output, values in zip(answer.outputs, answer.raw_output_contents, strict=True):
        described: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": list(output.shape),
        }
        parameters = _parameters(output)
        if forms.is_binary(output.name):
            parameters[parts.SIZE] = len(values)
            binary.append(values)
        else:
            described["data"] = _values(output, values)
        if parameters:
            described["parameters"] = parameters
        outputs.append(described)
    response = json_response(content | {"outputs": outputs})
    if binary:
        headers = {parts.LENGTH: str(len(response.body))}
        body = b"".join([response.body, *binary])
        return Response(body, headers=headers, media_type="application/octet-stream")
    return response


def _parameters(
    described: protocol.ModelInferResponse | protocol.ModelInferResponse.InferOutputTensor,
) -> dict[str, Any]:
    """Return the parameters of an answer or of one of its outputs, each as its only value."""
    return {
        name: next(iter(describe(value).values()), None)
        for name, value in sorted(described.parameters.items())
    }


def _values(output: protocol.ModelInferResponse.InferOutputTensor, values: bytes) -> Any:
    """Return an output's values as JSON has them; raises HttpError."""
    if output.datatype == TEXTS:
        count = math.prod(output.shape)
        elements = split_elements(memoryview(values), count, output.name)
        return [element.decode() for element in elements]
    numbers = np.frombuffer(values, _TYPES[output.datatype])
    if not np.isfinite(numbers).all():
        raise invalid(
            output.name,
            f"{output.name} holds infinity or NaN, which JSON does not have; ask for it with the "
            "parameter binary_data",
            "OVERFLOW",
        )
    return numbers
