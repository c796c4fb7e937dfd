"""What is wrong with a request over HTTP is named: the field, its value and the remedy."""

from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from harness.server_process import ServerProcess
from tests.server.http.inference.asking import (
    INFER,
    LENGTH,
    opened,
    outputs,
    post,
    post_binary,
    tensor,
)
from tests.server.rpc.infer_calls import Infer, Tensor, infer

BLACK = np.zeros((1, 784), np.float32)
ZEROS: list[Any] = [0] * 784
SIZE = {"binary_data_size": BLACK.nbytes}

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"data": ZEROS[1:]}, "inputs[0].data", "has 783 values, but shape [1, 784] has 784"),
    ({"data": [*ZEROS[1:], True]}, "inputs[0].data", "inputs[0].data[783] is true; send a number"),
    ({"data": [None, *ZEROS[1:]]}, "inputs[0].data", "inputs[0].data[0] is null; send a number"),
    ({"data": [{}, *ZEROS[1:]]}, "inputs[0].data", "inputs[0].data[0] is an object; send a number"),
    ({"data": ["1", *ZEROS[1:]]}, "inputs[0].data", "inputs[0].data[0] is '1'; send a number"),
    (
        {"data": [0, 1e39, *ZEROS[2:]]},
        "inputs[0].data",
        "inputs[0].data[1] is 1e+39; send finite numbers of 32 bits",
    ),
    ({"data": [[ZEROS]]}, "inputs[0].data", "is nested as [1, 1, 784], but the shape is [1, 784]"),
    (
        {"data": [[0], ZEROS]},
        "inputs[0].data",
        "inputs[0].data[1] has 784 entries, and those before it have 1",
    ),
    ({"data": [0, ZEROS]}, "inputs[0].data", "inputs[0].data[1] is a list; send a number"),
    ({"data": [[[[[[[[[[0]]]]]]]]]]}, "inputs[0].data", "has lists more than 8 deep"),
    ({"data": {}}, "inputs[0].data", "is an object, wanted a list"),
    ({"data": "AAAA"}, "inputs[0].data", "is 'AAAA', wanted a list"),
    ({"data": None}, "inputs[0].data", "is missing; give the values as a list"),
    (
        {"data": [2, *ZEROS[1:]]},
        "pixels",
        "image 0, pixel 0 is 2; every pixel must be a number in [0, 1]",
    ),
    (
        {"datatype": "UINT8", "data": [256, *ZEROS[1:]]},
        "inputs[0].data",
        "inputs[0].data[0] is 256; send integers from 0 to 255",
    ),
    (
        {"datatype": "UINT8", "data": [0, -1, *ZEROS[2:]]},
        "inputs[0].data",
        "inputs[0].data[1] is -1; send integers from 0 to 255",
    ),
    (
        {"datatype": "UINT8", "data": [0.5, *ZEROS[1:]]},
        "inputs[0].data",
        "inputs[0].data[0] is 0.5; send integers from 0 to 255",
    ),
    ({"datatype": "FP64"}, "pixels", "has datatype 'FP64', wanted FP32 or UINT8"),
    ({"datatype": 3}, "inputs[0].datatype", "is 3, wanted a string"),
    ({"name": "image"}, "inputs", "there is no input 'image', only pixels"),
    ({"name": ["pixels"]}, "inputs[0].name", "is a list, wanted a string"),
    ({"shape": None}, "inputs[0].shape", "is missing; give a list of integers"),
    ({"shape": [1, 784.0]}, "inputs[0].shape", "holds 784.0, wanted integers"),
    ({"shape": [True, 784]}, "inputs[0].shape", "holds true, wanted integers"),
    (
        {"shape": [1, 2**63]},
        "inputs[0].shape",
        "holds 9223372036854775808, which doesn't fit into an int64",
    ),
    ({"shape": [2**32, 2**32]}, "inputs[0].data", "has 784 values, but shape"),
    ({"shape": [2**62] * 8}, "inputs[0].data", "has 784 values, but shape"),
    ({"shape": [1] * 9}, "pixels", "has a shape of 9 dimensions"),
    ({"shape": [1] * 100_000}, "inputs", "100018 bytes together, more than the limit of 65536"),
    ({"shape": [-1, 784]}, "pixels", "give the number of images in place of a negative dimension"),
    (
        {"shape": [0, 784], "data": []},
        "inputs[0].data",
        "inputs[0].data is empty; send at least one image",
    ),
    ({"shape": [1, 783], "data": ZEROS[1:]}, "pixels", "783"),
    ({"parameters": []}, "inputs[0].parameters", "is a list, wanted an object"),
    ({"parameters": {"x": None}}, "inputs[0].parameters", "'x' is null, wanted a string, a number"),
    (
        {"parameters": {"x": [1]}},
        "inputs[0].parameters",
        "'x' is a list, wanted a string, a number",
    ),
    (
        {"parameters": dict.fromkeys(map(str, range(1001)), 1)},
        "inputs[0].parameters",
        "has 1001 entries, wanted at most 1000",
    ),
    (
        {"parameters": {"shared_memory_region": "x"}, "data": None},
        "parameters",
        "the server has no shared memory",
    ),
    (
        {"parameters": {"binary_data_size": "3136"}},
        "inputs[0].parameters.binary_data_size",
        "is '3136', wanted a number of bytes",
    ),
    (
        {"parameters": {"binary_data_size": -1}},
        "inputs[0].parameters.binary_data_size",
        "is -1, wanted a number of bytes",
    ),
    (
        {"parameters": {"binary_data_size": 0}},
        "inputs[0].data",
        "and binary_data_size are both given",
    ),
    ({"parameters": SIZE}, "binary_data_size", "have 3136 bytes of binary data together, but 0"),
]

WRONG_AROUND: list[tuple[dict[str, Any], str, str]] = [
    ({"id": 7}, "id", "id is 7, wanted a string"),
    ({"inputs": None}, "inputs", "0 tensors, wanted one, called pixels"),
    ({"inputs": {}}, "inputs", "inputs is an object, wanted a list"),
    ({"inputs": [[]]}, "inputs[0]", "inputs[0] is a list, wanted an object"),
    ({"inputs": [{"shape": []}] * 1001}, "inputs", "has 1001 entries, wanted at most 1000"),
    ({"inputs": [tensor(BLACK)] * 2}, "inputs", "2 tensors, wanted one, called pixels"),
    ({"outputs": 1}, "outputs", "outputs is 1, wanted a list"),
    ({"outputs": ["labels"]}, "outputs[0]", "outputs[0] is 'labels', wanted an object"),
    (
        {"outputs": [{"name": "answer"}]},
        "outputs",
        "digits has no output 'answer'; it has activations",
    ),
    ({"outputs": outputs(["labels"] * 2)}, "outputs", "'labels' is asked for more than once"),
    (
        {"outputs": outputs(["labels"], binary_data=1)},
        "outputs[0].parameters.binary_data",
        "is 1, wanted true or false",
    ),
    ({"outputs": outputs(["labels"], classification=3)}, "outputs", "which can't be ranked"),
    ({"outputs": outputs(["activations"], classification=-1)}, "parameters", "wanted 0 or more"),
    ({"outputs": outputs(["activations"], classification=1.5)}, "parameters", "not an integer"),
    ({"parameters": 3}, "parameters", "parameters is 3, wanted an object"),
    (
        {"parameters": {"binary_data_output": "true"}},
        "parameters.binary_data_output",
        "is 'true', wanted true or false",
    ),
    (
        {"parameters": {"canonicalize": 1}},
        "parameters",
        "it is 1, which is not true or false; send a bool_param",
    ),
    ({"parameters": {"triton_x": 1}}, "parameters", "names that begin with triton_ are reserved"),
    ({"parameters": {"priority": 2}}, "parameters", "all requests have the same priority"),
]


def check(response: httpx.Response, field: str, words: str) -> None:
    assert response.status_code == 400, response.text
    content = response.json()
    assert words in content["error"]
    assert content["code"] == "INVALID_ARGUMENT"
    (violation,) = content["violations"]
    assert violation["field"] == field
    assert violation["reason"].isupper()
    assert len(response.content) < 4096


@pytest.mark.parametrize(("changed", "field", "words"), WRONG)
def test_wrong_inputs(
    client: httpx.Client, changed: dict[str, Any], field: str, words: str
) -> None:
    check(post(client, {"inputs": [tensor(BLACK, data=ZEROS) | changed]}), field, words)


@pytest.mark.parametrize(("changed", "field", "words"), WRONG_AROUND)
def test_wrong_requests(
    client: httpx.Client, changed: dict[str, Any], field: str, words: str
) -> None:
    check(post(client, {"inputs": [tensor(BLACK, data=ZEROS)]} | changed), field, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"pixels", "not valid JSON"),
        (b'{"inputs": [}', "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"id": "\xff"}', "not valid JSON"),
        (b'{"id": NaN}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "the request is a list, wanted a JSON object"),
        (b"null", "the request is null, wanted a JSON object"),
    ],
)
def test_what_is_no_json(client: httpx.Client, body: bytes, words: str) -> None:
    response = client.post(INFER, content=body)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_more_numbers_than_are_parsed(client: httpx.Client) -> None:
    body = b'{"inputs": [{"data": [%s0]}]}' % (b"0," * (1 << 20))
    response = client.post(INFER, content=body)
    assert (response.status_code, response.json()["reason"]) == (413, "BODY_NUMBERS")
    assert "more than 1048576 numbers; send them as binary data" in response.json()["error"]


@pytest.mark.parametrize(
    "length", ["-1", "+1", "1e2", "0x10", "ten", "", "\u0661", "10000", "9" * 5000, "12, 13"]
)
def test_lengths_of_json_that_lie(client: httpx.Client, length: str) -> None:
    response = client.post(
        INFER, content=BLACK.tobytes(), headers=[(LENGTH.encode(), length.encode())]
    )
    check(response, LENGTH, "of the body's 3136 bytes are JSON")


def test_two_lengths_of_json(client: httpx.Client) -> None:
    headers = [(LENGTH, "0"), (LENGTH, "3136")]
    response = client.post(INFER, content=BLACK.tobytes(), headers=headers)
    check(response, LENGTH, "is '0, 3136'")


@pytest.mark.parametrize("size", [0, 1, 3135, 3137, 784])
def test_raw_bodies_that_are_no_images(client: httpx.Client, size: int) -> None:
    response = client.post(INFER, content=bytes(size), headers={LENGTH: "0"})
    check(response, "pixels", f"has {size} bytes, wanted 3136 for each image (784 values")


@pytest.mark.parametrize(
    ("sizes", "n_bytes", "words"),
    [
        ([3136], 3135, "the inputs have 3136 bytes of binary data together, but 3135 bytes follow"),
        ([3136], 3137, "the inputs have 3136 bytes of binary data together, but 3137 bytes follow"),
        ([2**63], 3136, "but 3136 bytes follow"),
        ([2**64 - 1], 3136, "but 3136 bytes follow"),
        ([None], 1, "the inputs have 0 bytes of binary data together, but 1 bytes follow"),
        ([3000, 136], 3136, "2 tensors, wanted one, called pixels"),
    ],
)
def test_binary_data_that_lie(
    client: httpx.Client, sizes: list[int | None], n_bytes: int, words: str
) -> None:
    inputs = [
        tensor(BLACK, parameters={"binary_data_size": size} if size else {}) for size in sizes
    ]
    response = post_binary(client, {"inputs": inputs}, bytes(n_bytes))
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_binary_data_that_do_not_fit_the_shape(client: httpx.Client) -> None:
    content = {"inputs": [tensor(BLACK, shape=[2, 784], parameters=SIZE)]}
    check(post_binary(client, content, BLACK.tobytes()), "pixels", "in 6272 bytes, but there are")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v2/models/letters/infer", 404, "model 'letters' is not loaded; name one of: digits"),
        ("/v2/models/digits/versions/2/infer", 404, "has no version 2 loaded"),
        ("/v2/models/digits/versions/best/infer", 404, "'best'"),
        ("/v2/models/digits/versions/-1/infer", 400, "'-1' is not a version"),
        (f"/v2/models/digits/versions/{'9' * 5000}/infer", 400, "is not a version"),
        ("/v2/models/%2e%2e%2fdigits/infer", 404, "/openapi.json"),
        ("/v2/models/..%5c..%5cdigits/infer", 404, "is not loaded"),
        ("/v2/models/%00%ff/infer", 404, "is not loaded"),
    ],
)
def test_models_that_are_not_there(
    client: httpx.Client, path: str, status: int, words: str
) -> None:
    response = post(client, {"inputs": [tensor(BLACK, data=ZEROS)]}, path)
    assert response.status_code == status
    assert words in response.json()["error"]


def test_what_http_says_is_what_grpc_says(client: httpx.Client, channel: grpc.Channel) -> None:
    response = post(client, {"inputs": [tensor(BLACK, name="image", data=ZEROS)]})
    request = Infer(inputs=[Tensor(name="image", datatype="FP32", shape=[1, 784])])
    with pytest.raises(grpc.RpcError) as raised:
        infer(channel, request)
    assert response.json()["error"] == raised.value.details()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("end", ["", "/"])
def test_other_methods(client: httpx.Client, method: str, end: str) -> None:
    response = client.request(method, INFER + end)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert "error" in response.json()


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/models", "/v2/models/digits/config", "/v2/models/stats"]
)
def test_questions_are_asked_by_get(client: httpx.Client, path: str) -> None:
    response = client.post(path, content=b"{}")
    assert (response.status_code, next(iter(response.json()))) == (405, "error")


@pytest.mark.parametrize("path", ["/v2/x", "/v2/health", "/v2/models/digits/infer/x", "/v3/models"])
def test_paths_that_are_not_there(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, next(iter(response.json()))) == (404, "error")


def test_nothing_of_that_is_unforeseen(server: ServerProcess) -> None:
    with opened(server) as client:
        assert post(client, {"inputs": [tensor(BLACK, data=ZEROS)]}).status_code == 200
    # What it did not foresee it logs.
    assert not [line for line in server.log if line.get("event") == "an HTTP request failed"]
