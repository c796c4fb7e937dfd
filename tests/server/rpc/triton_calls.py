"""Makes all six calls of the Open Inference Protocol with tritonclient; run by test_triton.

`python triton_calls.py ADDRESS IMAGES.npy ANSWERS.npz` writes what the server answered.
"""

import asyncio
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio

MODEL = "digits"
OUTPUTS = ("labels", "activations", "hidden_1", "hidden_2")


def inputs_of(images: "np.ndarray[Any, Any]") -> list[Any]:
    """Return the images as tritonclient sends them."""
    datatype = "UINT8" if images.dtype == np.uint8 else "FP32"
    tensor = triton.InferInput("pixels", list(images.shape), datatype)
    tensor.set_data_from_numpy(images)
    return [tensor]


def outputs() -> list[Any]:
    """Return a request for all outputs."""
    return [triton.InferRequestedOutput(name) for name in OUTPUTS]


def ordinary(address: str, images: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Make the calls with the ordinary client."""
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "1")
        assert not client.is_model_ready("letters")
        assert client.get_server_metadata().name == "mlpserve"
        metadata = client.get_model_metadata(MODEL)
        assert [tensor.name for tensor in metadata.inputs] == ["pixels"]
        result = client.infer(MODEL, inputs_of(images), outputs=outputs(), request_id="a")
        assert result.get_response().id == "a"
        levels = np.round(images * 255).astype(np.uint8).reshape(-1, 28, 28)
        of_levels = client.infer(MODEL, inputs_of(levels)).as_numpy("labels")
        return {name: result.as_numpy(name) for name in OUTPUTS} | {"of_levels": of_levels}


async def asynchronous(address: str, images: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Make the calls with the asyncio client, and many of them at once."""
    async with triton_aio.InferenceServerClient(address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL)
        assert (await client.get_server_metadata()).name == "mlpserve"
        assert (await client.get_model_metadata(MODEL)).versions == ["1"]
        results = await asyncio.gather(
            *(
                client.infer(MODEL, inputs_of(image[np.newaxis]), outputs=outputs())
                for image in images
            )
        )
        return {
            f"async_{name}": np.concatenate([result.as_numpy(name) for result in results])
            for name in OUTPUTS
        }


def main(address: str, images_path: str, answers_path: str) -> None:
    """Make all calls and write the answers."""
    images = np.load(images_path)
    answers = ordinary(address, images) | asyncio.run(asynchronous(address, images))
    np.savez(answers_path, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
