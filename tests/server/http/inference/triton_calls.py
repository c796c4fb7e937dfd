"""Makes every call of the public protocol over HTTP with tritonclient; run by test_triton.

`python triton_calls.py ADDRESS IMAGES.npy SEVEN.png TOKEN ANSWERS.npz` writes what the server
answered to the ordinary client and to that of asyncio; the token lets it load and unload models.
"""

import asyncio
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

MODEL = "digits"
OUTPUTS = ("labels", "activations", "hidden_1", "hidden_2")
EXTENSIONS = {"statistics", "model_configuration", "binary_tensor_data", "classification"}
MINUTE_MICROSECONDS = 60_000_000
N_CLASSES = 3
CODINGS = ("gzip", "deflate")

Images = np.ndarray[Any, Any]
Answers = dict[str, Any]
Arguments = dict[str, Any]


def inputs_of(images: Images, is_binary: bool = True) -> list[Any]:
    """Return the images as tritonclient sends them."""
    datatype = "UINT8" if images.dtype == np.uint8 else "FP32"
    tensor = triton.InferInput("pixels", list(images.shape), datatype)
    tensor.set_data_from_numpy(images, binary_data=is_binary)
    return [tensor]


def outputs(*, is_binary: bool = True, **options: int) -> list[Any]:
    """Return a request for all outputs."""
    return [triton.InferRequestedOutput(name, binary_data=is_binary, **options) for name in OUTPUTS]


def best(*, is_binary: bool) -> list[Any]:
    """Return a request for the brightest outputs."""
    return [
        triton.InferRequestedOutput("activations", binary_data=is_binary, class_count=N_CLASSES)
    ]


def ways(images: Images) -> Iterator[tuple[str, Arguments]]:
    """All forms of a request for the outputs of the images, each with a name."""
    for form, is_binary in (("binary", True), ("json", False)):
        inputs, wanted = inputs_of(images, is_binary), outputs(is_binary=is_binary)
        yield form, {"inputs": inputs, "outputs": wanted}
        yield f"{form}_to_other", {"inputs": inputs, "outputs": outputs(is_binary=not is_binary)}
        for coding in CODINGS:
            yield (
                f"{form}_{coding}",
                {
                    "inputs": inputs,
                    "outputs": wanted,
                    "request_compression_algorithm": coding,
                    "response_compression_algorithm": coding,
                },
            )
    mixed = [
        triton.InferRequestedOutput(name, binary_data=index % 2 == 0)
        for index, name in enumerate(OUTPUTS)
    ]
    yield "mixed", {"inputs": inputs_of(images), "outputs": mixed}


def classifications(images: Images) -> Iterator[tuple[str, Arguments]]:
    """Both forms of a request for the brightest outputs."""
    for form, is_binary in (("binary", True), ("json", False)):
        yield (
            f"{form}_classes",
            {"inputs": inputs_of(images, is_binary), "outputs": best(is_binary=is_binary)},
        )


def pictures_of(path: str) -> list[Any]:
    """Return a file twice, as tritonclient sends texts."""
    elements = np.array([Path(path).read_bytes()] * 2, dtype=np.object_)
    tensor = triton.InferInput("pixels", [2], "BYTES")
    tensor.set_data_from_numpy(elements)
    return [tensor]


def values_of(prefix: str, result: Any) -> Answers:
    """Return the values of all outputs, under longer names."""
    return {f"{prefix}_{name}": result.as_numpy(name) for name in OUTPUTS}


def classes_of(result: Any) -> Any:
    """Return the texts of a classification."""
    return result.as_numpy("activations").astype("S")


def check_metadata(server: Any, model: Any) -> None:
    """Who the server is and what the model takes and gives."""
    assert server["name"] == "mlpserve"
    assert set(server["extensions"]) >= EXTENSIONS
    assert (model["name"], model["versions"]) == (MODEL, ["1"])
    assert model["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": [-1, 784]}]
    assert model["outputs"] == [
        {"name": "activations", "datatype": "FP32", "shape": [-1, 10]},
        {"name": "labels", "datatype": "INT64", "shape": [-1]},
    ]


def check_config(config: Any) -> None:
    """How the model is served, by Triton's names and enums."""
    assert (config["name"], config["backend"]) == (MODEL, "onnxruntime")
    assert config["max_batch_size"] > 0
    assert config["input"] == [{"name": "pixels", "data_type": "TYPE_FP32", "dims": [784]}]
    assert [one["data_type"] for one in config["output"]] == ["TYPE_FP32", "TYPE_INT64"]
    assert [one["kind"] for one in config["instance_group"]] == ["KIND_CPU"]
    assert config["version_policy"] == {"latest": {"num_versions": 1}}
    assert config["parameters"]["layer_sizes"] == {"string_value": "[784, 16, 16, 10]"}


def check_statistics(before: Any, after: Any, requests: int, images: int) -> None:
    """What was counted between two answers."""
    (first,), (second,) = before["model_stats"], after["model_stats"]
    assert (second["name"], second["version"]) == (MODEL, "1")
    old, new = first["inference_stats"], second["inference_stats"]
    assert new["success"]["count"] - old["success"]["count"] == requests
    assert second["inference_count"] - first["inference_count"] == images
    assert min(new["queue"]["ns"], new["compute_infer"]["ns"]) > 0
    runs = sum(batch["compute_infer"]["count"] for batch in second["batch_stats"])
    assert runs == second["execution_count"]


def check_index(index: Any, state: str) -> None:
    """In which state the model is."""
    assert [(one["name"], one["version"], one["state"]) for one in index] == [(MODEL, "1", state)]


def check_result(result: Any, request_id: str) -> None:
    """Which model answered which request."""
    response = result.get_response()
    assert (response["model_name"], response["model_version"]) == (MODEL, "1")
    assert response["id"] == request_id


def check_error(error: InferenceServerException, words: str, status: str) -> None:
    """What an error says."""
    assert words in str(error), error
    assert error.status() in (status, None), error


def by_hand(address: str, images: Images) -> Answers:
    """Send bodies that the client has made, or the pixels alone, by a program that knows neither;
    the client reads the answers.
    """
    made, length = triton.InferenceServerClient.generate_request_body(
        inputs_of(images), outputs=outputs()
    )
    answers: Answers = {}
    for name, body, size in (("made", made, length), ("raw", images.tobytes(), 0)):
        header = "Inference-Header-Content-Length"
        request = urllib.request.Request(
            f"http://{address}/v2/models/{MODEL}/infer", body, {header: str(size)}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            result = triton.InferenceServerClient.parse_response_body(
                response.read(), header_length=int(response.headers[header])
            )
        answers |= {
            f"{name}_{output}": result.as_numpy(output)
            for output in OUTPUTS
            if result.get_output(output)
        }
    return answers


def ordinary(address: str, images: Images, picture: str, admin: dict[str, str]) -> Answers:
    """Make the calls with the ordinary client."""
    answers: Answers = {}
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "1")
        assert not client.is_model_ready("letters")
        assert not client.is_model_ready(MODEL, "7")
        check_metadata(client.get_server_metadata(), client.get_model_metadata(MODEL, "1"))
        check_config(client.get_model_config(MODEL))
        before = client.get_inference_statistics(MODEL, "1")
        result = client.infer(MODEL, inputs_of(images), request_id="a")
        check_result(result, "a")
        client.infer(MODEL, inputs_of(images[:1]), timeout=MINUTE_MICROSECONDS)
        client.infer(MODEL, inputs_of(images[:1]), "1", parameters={"custom": "value"})
        check_statistics(before, client.get_inference_statistics(MODEL), 3, len(images) + 2)
        assert len(client.get_inference_statistics()["model_stats"]) == 1
        for name, arguments in ways(images):
            answers |= values_of(name, client.infer(MODEL, **arguments))
            later = client.async_infer(MODEL, **arguments)
            answers |= values_of(f"later_{name}", later.get_result())
        for name, arguments in classifications(images):
            answers[name] = classes_of(client.infer(MODEL, **arguments))
        levels = np.round(images * 255).astype(np.uint8).reshape(-1, 28, 28)
        for form, is_binary in (("binary", True), ("json", False)):
            result = client.infer(MODEL, inputs_of(levels, is_binary))
            answers[f"{form}_levels"] = result.as_numpy("labels")
        answers["picture"] = client.infer(MODEL, pictures_of(picture)).as_numpy("labels")
        try:
            client.infer("letters", inputs_of(images))
        except InferenceServerException as error:
            check_error(error, "model 'letters' is not loaded; name one of: digits", "404")
        else:
            raise AssertionError("an unknown model answers")
        load_and_unload(client, admin)
    return answers


def load_and_unload(client: Any, admin: dict[str, str]) -> None:
    """Take the model away and bring it back."""
    check_index(client.get_model_repository_index(), "READY")
    for change in (client.load_model, client.unload_model):
        try:
            change(MODEL)
        except InferenceServerException as error:
            check_error(error, "token", "401")
        else:
            raise AssertionError("anybody may load models")
    client.unload_model(MODEL, headers=admin)
    assert not client.is_model_ready(MODEL)
    (unloaded,) = client.get_model_repository_index()
    assert unloaded["reason"] == "unloaded"
    client.load_model(MODEL, headers=admin)
    assert client.is_model_ready(MODEL)
    check_index(client.get_model_repository_index(), "READY")


async def asynchronous(address: str, images: Images, admin: dict[str, str]) -> Answers:
    """Make the calls with the asyncio client, and many of them at once."""
    answers: Answers = {}
    async with triton_aio.InferenceServerClient(address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL)
        assert not await client.is_model_ready("letters")
        check_metadata(await client.get_server_metadata(), await client.get_model_metadata(MODEL))
        check_config(await client.get_model_config(MODEL))
        before = await client.get_inference_statistics(MODEL, "1")
        results = await asyncio.gather(
            *(
                client.infer(MODEL, inputs_of(image[np.newaxis]), outputs=outputs())
                for image in images
            )
        )
        after = await client.get_inference_statistics(MODEL, "1")
        check_statistics(before, after, len(images), len(images))
        for name in OUTPUTS:
            answers[f"each_{name}"] = np.concatenate([one.as_numpy(name) for one in results])
        for name, arguments in ways(images):
            answers |= values_of(name, await client.infer(MODEL, **arguments))
        for name, arguments in classifications(images):
            answers[name] = classes_of(await client.infer(MODEL, **arguments))
        await change(client.unload_model, client, admin, "UNAVAILABLE")
        await change(client.load_model, client, admin, "READY")
    return {f"asyncio_{name}": values for name, values in answers.items()}


async def change(
    method: Callable[..., Awaitable[None]], client: Any, admin: dict[str, str], state: str
) -> None:
    """Load or unload the model."""
    await method(MODEL, headers=admin)
    check_index(await client.get_model_repository_index(), state)
    assert await client.is_model_ready(MODEL) == (state == "READY")


def main(address: str, images_path: str, picture: str, token: str, answers_path: str) -> None:
    """Make all calls and write the answers."""
    images, admin = np.load(images_path), {"authorization": f"Bearer {token}"}
    answers = ordinary(address, images, picture, admin) | by_hand(address, images)
    answers |= asyncio.run(asynchronous(address, images, admin))
    np.savez(answers_path, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
