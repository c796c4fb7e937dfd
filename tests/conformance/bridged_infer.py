"""Messages of ModelInfer as bodies of HTTP, and back: raw contents as binary data, not as JSON."""

import json
from typing import Any

import httpx

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.tensors import FIELDS, TEXT

LENGTH = "inference-header-content-length"
ALL_BINARY = "binary_data_output"


def write(request: protocol.ModelInferRequest) -> tuple[bytes, dict[str, str]]:
    """Return a request's body and headers."""
    parameters = parameters_of(request)
    if request.raw_input_contents:
        # Over gRPC an answer has the form of its request, unless that says otherwise.
        parameters.setdefault(ALL_BINARY, True)
    content: dict[str, Any] = {"inputs": [], "parameters": parameters}
    if request.id:
        content["id"] = request.id
    sizes = [len(raw) for raw in request.raw_input_contents]
    for index, tensor in enumerate(request.inputs):
        described: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
            "parameters": parameters_of(tensor),
        }
        if index < len(sizes):
            described["parameters"] |= {"binary_data_size": sizes[index]}
        if tensor.HasField("contents"):
            described["data"] = [
                value.decode() if isinstance(value, bytes) else value
                for _, values in tensor.contents.ListFields()
                for value in values
            ]
        content["inputs"].append(described)
    if request.outputs:
        content["outputs"] = [
            {"name": output.name, "parameters": parameters_of(output)} for output in request.outputs
        ]
    head = json.dumps(content).encode()
    headers = {LENGTH: str(len(head))} if sizes else {}
    return b"".join([head, *request.raw_input_contents]), headers


def read(response: httpx.Response) -> protocol.ModelInferResponse:
    """Return the message that a response stands for."""
    length = int(response.headers.get(LENGTH, len(response.content)))
    content, binary = json.loads(response.content[:length]), response.content[length:]
    message = protocol.ModelInferResponse(
        model_name=content["model_name"],
        model_version=content.get("model_version", ""),
        id=content.get("id", ""),
    )
    _fill(message, content.get("parameters", {}))
    for output in content["outputs"]:
        parameters = output.get("parameters", {})
        size = parameters.pop("binary_data_size", None)
        tensor = message.outputs.add(
            name=output["name"], datatype=output["datatype"], shape=output["shape"]
        )
        _fill(tensor, parameters)
        if size is None:
            values = output["data"]
            if output["datatype"] == TEXT:
                values = [value.encode() for value in values]
            getattr(tensor.contents, FIELDS[output["datatype"]]).extend(values)
        else:
            message.raw_output_contents.append(binary[:size])
            binary = binary[size:]
    assert not binary, f"{len(binary)} bytes belong to no output"
    return message


def parameters_of(described: Any) -> dict[str, Any]:
    """Return the parameters of a message as JSON has them."""
    return {
        name: getattr(value, value.WhichOneof("parameter_choice"))
        for name, value in described.parameters.items()
    }


def _fill(message: Any, parameters: dict[str, Any]) -> None:
    fields = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    for name, value in parameters.items():
        setattr(message.parameters[name], fields[type(value)], value)
