"""Reads manifests and calls the server with KServe's client; run by test_kserve.

`python kserve_calls.py GRPC HTTP MODEL MANIFESTS.json IMAGES.npy EXAMPLE.py ANSWERS` writes what
the server answered at its two addresses to ANSWERS.npz, the fields of each manifest that KServe
does not know to ANSWERS.json, and what the example printed to ANSWERS.txt.
"""

import asyncio
import contextlib
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import kserve
import numpy as np

VERSIONS = {"serving.kserve.io/v1alpha1": "V1alpha1", "serving.kserve.io/v1beta1": "V1beta1"}


def unknown_fields(value: Any, kind: str) -> Iterator[str]:
    """Find the fields that KServe's classes have not; those of Kubernetes' own are left out."""
    element = kind.removeprefix("list[").removesuffix("]")
    known = getattr(kserve.models, element, None)
    if known is None:
        return
    kinds = {name: known.openapi_types[field] for field, name in known.attribute_map.items()}
    for item in value if element != kind else [value]:
        yield from item.keys() - kinds.keys()
        for name in item.keys() & kinds.keys():
            yield from unknown_fields(item[name], kinds[name])


async def call(address: str, model: str, images: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Make all calls that the client has."""
    answers: dict[str, Any] = {}
    async with kserve.InferenceGRPCClient(address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(model)
        assert not await client.is_model_ready("nonsense")
        for name, is_binary in (("binary", True), ("typed", False)):
            pixels = kserve.InferInput("pixels", list(images.shape), "FP32")
            pixels.set_data_from_numpy(images, binary_data=is_binary)
            request = kserve.InferRequest(model, [pixels], name, parameters={"custom": True})
            response = await client.infer(request, timeout=60, headers=(("custom", "value"),))
            assert (response.model_name, response.model_version) == (model, "1")
            assert response.id == name
            for output in response.outputs:
                answers[f"{name}_{output.name}"] = output.as_numpy()
        unknown = client.infer(kserve.InferRequest("nonsense", [pixels]))
        errors: tuple[Any] = await asyncio.gather(unknown, return_exceptions=True)
        assert errors[0].code() is grpc.StatusCode.NOT_FOUND
    return answers


async def call_rest(address: str, model: str, images: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Make all calls that the client over HTTP has."""
    client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2", timeout=60))
    url = f"http://{address}"
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    pixels = kserve.InferInput("pixels", list(images.shape), "FP32")
    pixels.set_data_from_numpy(images, binary_data=False)
    request = kserve.InferRequest(model, [pixels], "rest")
    response = await client.infer(url, request, model_name=model)
    # This client leaves the version out.
    assert (response.model_name, response.id) == (model, "rest")
    await client.close()
    return {f"rest_{output.name}": output.as_numpy() for output in response.outputs}


def main(
    grpc_address: str,
    http_address: str,
    model: str,
    manifests: str,
    images: str,
    example: str,
    answers: str,
) -> None:
    """Write what is unknown, what was answered and what the example printed."""
    unknown = [
        sorted(unknown_fields(manifest, VERSIONS[manifest["apiVersion"]] + manifest["kind"]))
        for manifest in json.loads(Path(manifests).read_text())
    ]
    Path(f"{answers}.json").write_text(json.dumps(unknown))
    batch = np.load(images)
    found = asyncio.run(call(grpc_address, model, batch))
    found |= asyncio.run(call_rest(http_address, model, batch))
    np.savez(f"{answers}.npz", **found)
    with Path(f"{answers}.txt").open("w") as output, contextlib.redirect_stdout(output):
        runpy.run_path(example)


if __name__ == "__main__":
    main(*sys.argv[1:])
