"""Requests of the Open Inference Protocol over HTTP, made by hand."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np
import orjson

from harness.server_process import ServerProcess

INFER = "/v2/models/digits/infer"
LENGTH = "inference-header-content-length"
WIDTHS = {"INT64": "<i8", "FP32": "<f4"}

Array = np.ndarray[Any, Any]


@contextlib.contextmanager
def opened(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(base_url=f"http://{server.http_address}", timeout=60) as client:
        yield client


def tensor(images: Array, **fields: Any) -> dict[str, Any]:
    """The input of a request, without its values."""
    datatype = "UINT8" if images.dtype == np.uint8 else "FP32"
    return {"name": "pixels", "datatype": datatype, "shape": list(images.shape)} | fields


def outputs(names: Sequence[str], **parameters: Any) -> list[dict[str, Any]]:
    """The outputs of a request."""
    return [{"name": name, "parameters": parameters} for name in names]


def post(client: httpx.Client, content: Any, path: str = INFER, **headers: str) -> httpx.Response:
    """Send JSON; large numbers as NumPy's arrays."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return client.post(path, content=body, headers=headers)


def post_binary(
    client: httpx.Client, content: Any, binary: bytes, path: str = INFER
) -> httpx.Response:
    """Send JSON and binary data behind it."""
    head = orjson.dumps(content)
    return client.post(path, content=head + binary, headers={LENGTH: str(len(head))})


def values_of(response: httpx.Response) -> dict[str, Array]:
    """The values of a response's outputs, out of its JSON or behind that."""
    assert response.status_code == 200, response.text
    length = int(response.headers.get(LENGTH, len(response.content)))
    content, binary = orjson.loads(response.content[:length]), response.content[length:]
    found: dict[str, Array] = {}
    for output in content["outputs"]:
        width, shape = WIDTHS[output["datatype"]], output["shape"]
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            flat = np.array(output["data"], width)
        else:
            flat, binary = np.frombuffer(binary[:size], width), binary[size:]
        found[output["name"]] = flat.reshape(shape)
    assert binary == b""
    return found
