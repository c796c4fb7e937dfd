"""Makes every call that KServe's client has over HTTP; run by test_kserve.

`python kserve_calls.py ADDRESS IMAGES.npy ANSWERS.npz` writes what the server answered.
"""

import asyncio
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

MODEL = "digits"

Images = np.ndarray[Any, Any]


def inputs_of(images: Images, is_binary: bool) -> list[Any]:
    """Return the images as the client sends them."""
    pixels = InferInput("pixels", list(images.shape), "FP32")
    pixels.set_data_from_numpy(images, binary_data=is_binary)
    return [pixels]


async def call(address: str, images: Images) -> dict[str, Any]:
    """Make all calls."""
    url = f"http://{address}"
    answers: dict[str, Any] = {}
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, MODEL)
    assert not await client.is_model_ready(url, "letters")
    for form, is_binary in (("binary", True), ("json", False)):
        for answer, wants_binary in (("binary", True), ("json", False)):
            name = f"{form}_{answer}"
            request = InferRequest(
                MODEL,
                inputs_of(images, is_binary),
                name,
                parameters={"binary_data_output": wants_binary},
            )
            response = await client.infer(url, request, model_name=MODEL)
            # It leaves the version out.
            assert (response.model_name, response.id) == (MODEL, name)
            answers |= {f"{name}_{output.name}": output.as_numpy() for output in response.outputs}
    request = InferRequest(
        MODEL,
        inputs_of(images, is_binary=True),
        request_outputs=[RequestedOutput("hidden_1", {"binary_data": True})],
    )
    (output,) = (await client.infer(url, request, model_name=MODEL)).outputs
    answers["hidden_1"] = output.as_numpy()
    plain = {"name": "pixels", "shape": list(images.shape), "datatype": "FP32"}
    content = {"inputs": [plain | {"data": images.tolist()}]}
    response = await client.infer(url, content, model_name=MODEL)
    answers["dictionary_labels"] = response.outputs[1].as_numpy()
    errors: tuple[Any] = await asyncio.gather(
        client.infer(url, content, model_name="letters"), return_exceptions=True
    )
    assert isinstance(errors[0], httpx.HTTPStatusError)
    assert "model 'letters' is not loaded; name one of: digits, '404 Not Found'" in str(errors[0])
    await client.close()
    return answers


def main(address: str, images_path: str, answers_path: str) -> None:
    """Make all calls and write the answers."""
    np.savez(answers_path, **asyncio.run(call(address, np.load(images_path))))


if __name__ == "__main__":
    main(*sys.argv[1:])
