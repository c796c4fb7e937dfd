"""Makes every call of the public protocol with tritonclient; run by test_triton.

`python triton_calls.py ADDRESS IMAGES.npy TOKEN ANSWERS.npz` writes what the server answered to the
ordinary client and to that of asyncio; the token lets it load and unload models.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from queue import Queue
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

MODEL = "digits"
OUTPUTS = ("labels", "activations", "hidden_1", "hidden_2")
EXTENSIONS = {"statistics", "model_configuration", "model_repository", "classification"}
MINUTE_MICROSECONDS = 60_000_000
N_CLASSES = 3

Images = np.ndarray[Any, Any]
Answers = dict[str, Any]


def inputs_of(images: Images) -> list[Any]:
    """Return the images as tritonclient sends them."""
    datatype = "UINT8" if images.dtype == np.uint8 else "FP32"
    tensor = triton.InferInput("pixels", list(images.shape), datatype)
    tensor.set_data_from_numpy(images)
    return [tensor]


def outputs() -> list[Any]:
    """Return a request for all outputs."""
    return [triton.InferRequestedOutput(name) for name in OUTPUTS]


def best() -> list[Any]:
    """Return a request for the brightest outputs."""
    return [triton.InferRequestedOutput("activations", class_count=N_CLASSES)]


def values_of(result: Any) -> Answers:
    """Return the values of all outputs."""
    return {name: result.as_numpy(name) for name in OUTPUTS}


def prefixed(prefix: str, answers: Answers) -> Answers:
    """Return the answers under longer names."""
    return {f"{prefix}_{name}": values for name, values in answers.items()}


def check_metadata(server: Any, model: Any) -> None:
    """Who the server is and what the model takes and gives."""
    assert server.name == "mlpserve"
    assert set(server.extensions) >= EXTENSIONS
    assert list(model.versions) == ["1"]
    assert [(one.name, one.datatype) for one in model.inputs] == [("pixels", "FP32")]
    described = [(one.name, one.datatype) for one in model.outputs]
    assert described == [("activations", "FP32"), ("labels", "INT64")]


def check_config(config: Any) -> None:
    """How the model is served."""
    assert (config.name, config.max_batch_size > 0) == (MODEL, True)
    assert [(one.name, list(one.dims)) for one in config.input] == [("pixels", [784])]
    assert [(one.name, list(one.dims)) for one in config.output] == [
        ("activations", [10]),
        ("labels", [1]),
    ]


def check_config_as_json(config: dict[str, Any]) -> None:
    """The same as people read it, by Triton's names and enums."""
    assert (config["name"], config["backend"]) == (MODEL, "onnxruntime")
    assert [one["data_type"] for one in config["input"]] == ["TYPE_FP32"]
    assert [one["data_type"] for one in config["output"]] == ["TYPE_FP32", "TYPE_INT64"]
    assert [one["kind"] for one in config["instance_group"]] == ["KIND_CPU"]
    assert config["version_policy"] == {"latest": {"num_versions": 1}}
    assert config["dynamic_batching"]["default_queue_policy"]["allow_timeout_override"]
    assert config["parameters"]["layer_sizes"] == {"string_value": "[784, 16, 16, 10]"}


def check_statistics(before: Any, after: Any, requests: int, images: int) -> None:
    """What was counted between two answers."""
    (first,), (second,) = before.model_stats, after.model_stats
    assert (second.name, second.version) == (MODEL, "1")
    stats = second.inference_stats
    assert stats.success.count - first.inference_stats.success.count == requests
    assert second.inference_count - first.inference_count == images
    assert stats.compute_input.count == stats.compute_infer.count == stats.compute_output.count
    assert min(stats.queue.ns, stats.compute_infer.ns) > 0
    assert sum(batch.compute_infer.count for batch in second.batch_stats) == second.execution_count


def check_index(index: Any, state: str) -> None:
    """In which state the model is."""
    assert [(one.name, one.version, one.state) for one in index.models] == [(MODEL, "1", state)]


def check_result(result: Any, request_id: str) -> None:
    """Which model answered which request."""
    response = result.get_response()
    assert (response.model_name, response.model_version) == (MODEL, "1")
    assert response.id == request_id


def check_error(error: InferenceServerException, words: str) -> None:
    """What an error says."""
    assert words in str(error), error


def streamed(client: Any, images: Images) -> Answers:
    """Send the images in one stream, with an error in the middle."""
    arrived: Queue[tuple[Any, Any]] = Queue()
    client.start_stream(callback=lambda result, error: arrived.put((result, error)))
    for number, image in enumerate(images):
        name = "nonsense" if number == len(images) // 2 else MODEL
        client.async_stream_infer(
            name, inputs_of(image[np.newaxis]), outputs=outputs(), request_id=str(number)
        )
    results = [arrived.get(timeout=60) for _ in images]
    client.stop_stream()
    return joined(results)


def joined(results: list[tuple[Any, Any]]) -> Answers:
    """Return the answers to a stream without its error, which is in the middle."""
    _, error = results.pop(len(results) // 2)
    check_error(error, "model 'nonsense' is not loaded")
    assert [error for _, error in results if error is not None] == []
    answers = [values_of(result) for result, _ in results]
    return {name: np.concatenate([one[name] for one in answers]) for name in OUTPUTS}


def called_back(client: Any, images: Images) -> Answers:
    """Send the images at once, each with a callback."""
    arrived: list[Queue[tuple[Any, Any]]] = [Queue() for _ in images]
    for image, queue in zip(images, arrived, strict=True):
        client.async_infer(
            MODEL,
            inputs_of(image[np.newaxis]),
            callback=lambda result, error, queue=queue: queue.put((result, error)),
            outputs=outputs(),
        )
    results = [queue.get(timeout=60) for queue in arrived]
    assert [error for _, error in results if error is not None] == []
    answers = [values_of(result) for result, _ in results]
    return {name: np.concatenate([one[name] for one in answers]) for name in OUTPUTS}


def ordinary(address: str, images: Images, admin: dict[str, str]) -> Answers:
    """Make the calls with the ordinary client."""
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "1")
        assert not client.is_model_ready("letters")
        check_metadata(client.get_server_metadata(), client.get_model_metadata(MODEL))
        check_config(client.get_model_config(MODEL).config)
        check_config_as_json(client.get_model_config(MODEL, as_json=True)["config"])
        before = client.get_inference_statistics(MODEL)
        result = client.infer(MODEL, inputs_of(images), outputs=outputs(), request_id="a")
        check_result(result, "a")
        client.infer(MODEL, inputs_of(images[:1]), timeout=MINUTE_MICROSECONDS)
        client.infer(MODEL, inputs_of(images[:1]), parameters={"custom": "value"})
        check_statistics(before, client.get_inference_statistics(MODEL), 3, len(images) + 2)
        assert len(client.get_inference_statistics().model_stats) == 1
        levels = np.round(images * 255).astype(np.uint8).reshape(-1, 28, 28)
        answers = values_of(result) | {
            "of_levels": client.infer(MODEL, inputs_of(levels)).as_numpy("labels"),
            "classes": client.infer(MODEL, inputs_of(images), outputs=best())
            .as_numpy("activations")
            .astype("S"),
        }
        answers |= prefixed("called", called_back(client, images))
        answers |= prefixed("streamed", streamed(client, images))
        load_and_unload(client, admin)
        return answers


def load_and_unload(client: Any, admin: dict[str, str]) -> None:
    """Take the model away and bring it back."""
    check_index(client.get_model_repository_index(), "READY")
    for change in (client.load_model, client.unload_model):
        try:
            change(MODEL)
        except InferenceServerException as error:
            check_error(error, "token")
        else:
            raise AssertionError("anybody may load models")
    client.unload_model(MODEL, headers=admin)
    assert not client.is_model_ready(MODEL)
    check_index(client.get_model_repository_index(), "UNAVAILABLE")
    (unloaded,) = client.get_model_repository_index(as_json=True)["models"]
    assert unloaded["reason"] == "unloaded"
    client.load_model(MODEL, headers=admin)
    assert client.is_model_ready(MODEL)
    check_index(client.get_model_repository_index(), "READY")


async def stream_async(client: Any, images: Images) -> Answers:
    """Send the images in one stream, with an error in the middle."""

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for number, image in enumerate(images):
            yield {
                "model_name": "nonsense" if number == len(images) // 2 else MODEL,
                "inputs": inputs_of(image[np.newaxis]),
                "outputs": outputs(),
                "request_id": str(number),
            }

    return joined([pair async for pair in client.stream_infer(requests())])


async def asynchronous(address: str, images: Images, admin: dict[str, str]) -> Answers:
    """Make the calls with the asyncio client, and many of them at once."""
    async with triton_aio.InferenceServerClient(address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL)
        check_metadata(await client.get_server_metadata(), await client.get_model_metadata(MODEL))
        check_config((await client.get_model_config(MODEL)).config)
        before = await client.get_inference_statistics(MODEL, "1")
        results = await asyncio.gather(
            *(
                client.infer(MODEL, inputs_of(image[np.newaxis]), outputs=outputs())
                for image in images
            )
        )
        after = await client.get_inference_statistics(MODEL, "1")
        check_statistics(before, after, len(images), len(images))
        classes = await client.infer(MODEL, inputs_of(images), outputs=best())
        answers = {
            name: np.concatenate([result.as_numpy(name) for result in results]) for name in OUTPUTS
        } | {"classes": classes.as_numpy("activations").astype("S")}
        answers |= prefixed("streamed", await stream_async(client, images))
        check_index(await client.get_model_repository_index(), "READY")
        await client.unload_model(MODEL, headers=admin)
        assert not await client.is_model_ready(MODEL)
        check_index(await client.get_model_repository_index(), "UNAVAILABLE")
        await client.load_model(MODEL, headers=admin)
        assert await client.is_model_ready(MODEL)
        return prefixed("async", answers)


def main(address: str, images_path: str, token: str, answers_path: str) -> None:
    """Make all calls and write the answers."""
    images, admin = np.load(images_path), {"authorization": f"Bearer {token}"}
    answers = ordinary(address, images, admin)
    answers |= asyncio.run(asynchronous(address, images, admin))
    np.savez(answers_path, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
