"""Calls the server with nvidia-pytriton's clients; run by test_pytriton.

`python pytriton_calls.py URL IMAGES.npy ANSWERS.npz` writes what the server answered, over gRPC or
HTTP.
"""

import asyncio
import sys
from typing import Any

import numpy as np
from pytriton.client import AsyncioModelClient, FuturesModelClient, ModelClient
from pytriton.client.exceptions import PyTritonClientInferenceServerError

MODEL = "digits"
PATIENCE_SECONDS = 60.0

Answers = dict[str, Any]


def joined(samples: list[Answers]) -> Answers:
    """Return the answers to images one by one as those to a batch."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def prefixed(prefix: str, answers: Answers) -> Answers:
    """Return the answers under longer names."""
    return {f"{prefix}_{name}": values for name, values in answers.items()}


def ordinary(url: str, images: "np.ndarray[Any, Any]") -> Answers:
    """Call with ModelClient, by place and by name."""
    with ModelClient(url, MODEL, init_timeout_s=PATIENCE_SECONDS) as client:
        client.wait_for_model(PATIENCE_SECONDS)
        config = client.model_config
        assert client.is_batching_supported
        assert (config.model_name, config.model_version) == (MODEL, 1)
        assert [(one.name, one.shape) for one in config.inputs] == [("pixels", (784,))]
        assert [one.name for one in config.outputs] == ["activations", "labels"]
        batch = client.infer_batch(images)
        samples = joined([client.infer_sample(pixels=image) for image in images])
        message = "images of 783 pixels were answered"
        try:
            client.infer_batch(images[:, :-1])
        except PyTritonClientInferenceServerError as error:
            message = str(error)
        assert "784" in message, message
    with ModelClient(url, MODEL, model_version="1") as client:
        client.infer_sample(images[0], parameters={"custom": 1})
    return prefixed("batch", batch) | prefixed("sample", samples)


def futures(url: str, images: "np.ndarray[Any, Any]") -> Answers:
    """Call with FuturesModelClient, many at once."""
    # In 0.7 all workers but the first forget that the address is one of gRPC.
    with FuturesModelClient(url, MODEL, max_workers=1) as client:
        client.wait_for_model(PATIENCE_SECONDS).result()
        assert client.model_config().result().max_batch_size > 0
        batch = client.infer_batch(images)
        samples = [client.infer_sample(image) for image in images]
        return prefixed("futures_batch", batch.result()) | prefixed(
            "futures_sample", joined([sample.result() for sample in samples])
        )


async def asynchronous(url: str, images: "np.ndarray[Any, Any]") -> Answers:
    """Call with AsyncioModelClient, many at once."""
    async with AsyncioModelClient(url, MODEL) as client:
        await client.wait_for_model(PATIENCE_SECONDS)
        samples = await asyncio.gather(*(client.infer_sample(image) for image in images))
        return prefixed("async_sample", joined(samples))


def main(url: str, images_path: str, answers_path: str) -> None:
    """Make all calls and write the answers."""
    images = np.load(images_path)
    answers = ordinary(url, images) | futures(url, images)
    answers |= asyncio.run(asynchronous(url, images))
    np.savez(answers_path, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
