"""Reads manifests and calls the server with KServe's client; run by test_kserve.

`python kserve_calls.py ADDRESS MODEL MANIFESTS.json IMAGES.npy EXAMPLE.py ANSWERS` writes what the
server answered to ANSWERS.npz, the fields of each manifest that KServe does not know to
ANSWERS.json, and what the example printed to ANSWERS.txt.
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


def main(address: str, model: str, manifests: str, images: str, example: str, answers: str) -> None:
    """Write what is unknown, what was answered and what the example printed."""
    unknown = [
        sorted(unknown_fields(manifest, VERSIONS[manifest["apiVersion"]] + manifest["kind"]))
        for manifest in json.loads(Path(manifests).read_text())
    ]
    Path(f"{answers}.json").write_text(json.dumps(unknown))
    np.savez(f"{answers}.npz", **asyncio.run(call(address, model, np.load(images))))
    with Path(f"{answers}.txt").open("w") as output, contextlib.redirect_stdout(output):
        runpy.run_path(example)


if __name__ == "__main__":
    main(*sys.argv[1:])
