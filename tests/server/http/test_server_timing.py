"""Predictions tell where their time went: over HTTP itself, and in the worker for who asks."""

import httpx
import numpy as np
import pytest

from harness.server_process import ServerProcess
from tests.server.http.asking import connect

TENSOR = {"name": "pixels", "datatype": "UINT8", "shape": [1, 784]}
V1, V2 = "/v1/predict", "/v2/models/digits/infer"
BODIES = {V1: {"pixels": [0] * 784}, V2: {"inputs": [{**TENSOR, "data": [0] * 784}]}}
PARTS = ["total", "decode", "grpc", "encode"]


@pytest.fixture
def http(server: ServerProcess) -> httpx.Client:
    return connect(server)


def timing_of(answer: httpx.Response) -> dict[str, float]:
    """The milliseconds that an answer tells, by name and in order."""
    assert answer.status_code == 200, answer.text
    parts = [part.split(";dur=") for part in answer.headers["server-timing"].split(", ")]
    return {name: float(milliseconds) for name, milliseconds in parts}


@pytest.mark.parametrize("path", BODIES)
def test_the_worker_tells_who_asks(http: httpx.Client, path: str) -> None:
    with http:
        told = timing_of(http.post(path, json=BODIES[path], headers={"x-server-timing": "1"}))
        assert list(told) == [*PARTS, "queue", "run"]
        total, *parts = [told[name] for name in PARTS]
        assert total == pytest.approx(sum(parts), abs=0.01)
        assert told["run"] > 0
        for headers in ({}, {"x-server-timing": "yes"}):
            assert list(timing_of(http.post(path, json=BODIES[path], headers=headers))) == PARTS


def test_an_answer_with_binary_outputs_tells_too(http: httpx.Client) -> None:
    body = np.zeros(784, np.float32).tobytes()
    headers = {"inference-header-content-length": "0", "x-server-timing": "1"}
    with http:
        answer = http.post(V2, content=body, headers=headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert list(timing_of(answer)) == [*PARTS, "queue", "run"]
