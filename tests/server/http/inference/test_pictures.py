"""PNG and JPEG files in a tensor of BYTES are answered as the images that they show."""

import base64
import io
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from PIL import Image

from harness.server_process import ServerProcess
from mlpserve import Client
from mlpserve.pictures import read_picture
from tests.mlpserve.pictures.test_reading import draw_seven
from tests.server.http.inference.asking import (
    INFER,
    LENGTH,
    Array,
    outputs,
    post,
    post_binary,
    values_of,
)
from tests.server.rpc.infer_calls import infer, raw_request


def encode(picture: Image.Image, form: str) -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


PNG = encode(draw_seven(), "PNG")
JPEG = encode(draw_seven((300, 300), width=30), "JPEG")
LIGHT = encode(draw_seven(ink=(255, 255, 255), paper=(20, 20, 60)), "PNG")


@pytest.fixture(scope="module")
def wanted(server: ServerProcess, channel: grpc.Channel) -> Callable[..., Array]:
    """What gRPC answers to the pixels that `mlpserve predict` makes of pictures."""
    with Client(server.grpc_address) as caller:
        layout = caller.list_models()[0].versions[0].image_layout

    def ask(*pictures: bytes) -> Array:
        images = [read_picture(io.BytesIO(picture), (28, 28), layout) for picture in pictures]
        pixels = np.rint(255 * np.reshape(images, (len(images), -1))).astype(np.uint8)
        (values,) = infer(channel, raw_request(pixels, "activations")).raw_output_contents
        activations = np.frombuffer(values, "<f4").reshape(len(pictures), -1)
        assert (activations.argmax(axis=1) == 7).all()
        return activations

    return ask


def sized(*elements: bytes) -> bytes:
    """Elements of BYTES in binary form."""
    return b"".join(len(element).to_bytes(4, "little") + element for element in elements)


def request(shape: list[int], **fields: Any) -> dict[str, Any]:
    tensor = {"name": "pixels", "datatype": "BYTES", "shape": shape} | fields
    return {"inputs": [tensor], "outputs": outputs(["activations"])}


@pytest.mark.parametrize("shape", [[3], [3, 1]])
def test_base64(client: httpx.Client, wanted: Callable[..., Array], shape: list[int]) -> None:
    pictures = (PNG, JPEG, LIGHT)
    texts = [base64.b64encode(picture).decode() for picture in pictures]
    data = texts if len(shape) == 1 else [[text] for text in texts]
    found = values_of(post(client, request(shape, data=data)))["activations"]
    np.testing.assert_array_equal(found, wanted(*pictures))


def test_binary(client: httpx.Client, wanted: Callable[..., Array]) -> None:
    binary = sized(JPEG, PNG)
    content = request([2], parameters={"binary_data_size": len(binary)})
    found = values_of(post_binary(client, content, binary))["activations"]
    np.testing.assert_array_equal(found, wanted(JPEG, PNG))


@pytest.mark.parametrize(("picture", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
@pytest.mark.parametrize("headers", [{}, {LENGTH: "0"}])
def test_a_picture_alone(
    client: httpx.Client,
    wanted: Callable[..., Array],
    picture: bytes,
    kind: str,
    headers: dict[str, str],
) -> None:
    response = client.post(INFER, content=picture, headers={"content-type": kind} | headers)
    assert (LENGTH in response.headers) == bool(headers)
    found = values_of(response)
    np.testing.assert_array_equal(found["activations"], wanted(picture))
    assert found["labels"].tolist() == [7]


def test_by_version(client: httpx.Client, wanted: Callable[..., Array]) -> None:
    headers = {"content-type": "image/png"}
    response = client.post("/v2/models/digits/versions/1/infer", content=PNG, headers=headers)
    np.testing.assert_array_equal(values_of(response)["activations"], wanted(PNG))


TEXT = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"data": ["?"]}, "inputs[0].data", "inputs[0].data[0] is not base64"),
        ({"data": [TEXT[:-3]]}, "inputs[0].data", "inputs[0].data[0] is not base64"),
        ({"data": [7]}, "inputs[0].data", "inputs[0].data[0] is 7; send a picture in base64"),
        ({"data": [TEXT, TEXT]}, "inputs[0].data", "has 2 values, but shape [1] has 1"),
        ({"data": ["AAAA"]}, "picture", "picture 0: the picture is neither PNG nor JPEG"),
        ({"data": [TEXT[:400]]}, "picture", "picture 0: "),
        ({"shape": [28, 28]}, "inputs[0].shape", "wanted [N] or [N, 1] for BYTES"),
        ({"shape": []}, "inputs[0].shape", "wanted [N] or [N, 1] for BYTES"),
        ({"shape": [0], "data": []}, "inputs[0].shape", "wanted 1 to 64 pictures"),
        ({"shape": [65], "data": [""] * 65}, "inputs[0].shape", "wanted 1 to 64 pictures"),
        ({"shape": [2**62], "data": []}, "inputs[0].shape", "wanted 1 to 64 pictures"),
    ],
)
def test_wrong_pictures(
    client: httpx.Client, given: dict[str, Any], field: str, words: str
) -> None:
    fields = {"data": [TEXT]} | given
    response = post(client, request(fields.pop("shape", [1]), **fields))
    assert response.status_code == 400
    assert words in response.json()["error"]
    assert response.json()["violations"][0]["field"] == field


@pytest.mark.parametrize(
    ("shape", "binary", "words"),
    [
        ([2], sized(PNG), "has 1 elements in its binary data, but its shape has 2"),
        ([1], sized(PNG, PNG), "has more than 1 elements in its binary data"),
        ([1], sized(PNG)[:-1], f"element 0 has {len(PNG)} bytes by the 4 bytes before it"),
        ([1], b"\xff\xff\xff\xff", "element 0 has 4294967295 bytes by the 4 bytes before it"),
        ([1], b"\x01\x00", "element 0 has 1 bytes by the 4 bytes before it, but only 0 follow"),
        ([1], b"", "has 0 elements in its binary data"),
        ([64], bytes(100_000), "has more than 64 elements"),
    ],
)
def test_wrong_elements(client: httpx.Client, shape: list[int], binary: bytes, words: str) -> None:
    content = request(shape, parameters={"binary_data_size": len(binary)})
    response = post_binary(client, content, binary)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_a_model_that_is_not_there(client: httpx.Client) -> None:
    for path, words in (("letters", "'letters' is not loaded"), ("digits/versions/x", "'x'")):
        headers = {"content-type": "image/png"}
        response = client.post(f"/v2/models/{path}/infer", content=PNG, headers=headers)
        assert response.status_code == 404
        assert words in response.json()["error"]
