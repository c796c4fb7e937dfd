"""How often calls are tried again, and that retries are bounded."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2

from mlpserve import Client, MlpserveError, Overloaded, Unavailable
from mlpserve.connection.options import HEALTH_SERVICE, SERVICE, service_config
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import classify, start_serving

IMAGE = np.zeros(784, np.uint8)
RETRY_TOKENS = 500
"""Failures after which gRPC retries nothing until calls succeed: half of `maxTokens`."""


class Refusing:
    """Answers with a code, and counts its calls."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.code, self.calls = code, 0
        self._lock = threading.Lock()

    def answer(self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        with self._lock:
            self.calls += 1
        if self.code is not grpc.StatusCode.OK:
            context.abort(self.code, "not now")
        return classify(request)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize("retries", [0, 1, 4])
def test_calls_are_tried_again(retries: int, code: grpc.StatusCode) -> None:
    refusing = Refusing(code)
    with (
        start_serving(refusing.answer) as serving,
        Client(serving.address, retries=retries) as client,
        pytest.raises(MlpserveError, match="not now"),
    ):
        client.predict(IMAGE)
    assert refusing.calls == 1 + retries


@pytest.mark.parametrize(
    "code",
    [
        *(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL),
        *(grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
)
def test_what_retries_may_make_worse_is_left_to_callers(code: grpc.StatusCode) -> None:
    refusing = Refusing(code)
    with (
        start_serving(refusing.answer) as serving,
        Client(serving.address, retries=4) as client,
        pytest.raises(MlpserveError),
    ):
        client.predict(IMAGE)
    assert refusing.calls == 1


def test_health_checks_are_tried_again() -> None:
    asked: list[str] = []

    def check(request: Any, context: grpc.ServicerContext) -> Any:
        asked.append(request.service)
        if len(asked) < 4:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    method = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
    )
    health = grpc.method_handlers_generic_handler(HEALTH_SERVICE, {"Check": method})
    with start_serving(health=health) as serving, Client(serving.address) as client:
        assert client.is_ready()
    assert asked == [SERVICE] * 4


def test_a_server_that_is_down_gets_few_calls_more() -> None:
    refusing = Refusing(grpc.StatusCode.UNAVAILABLE)
    n_calls = 2 * RETRY_TOKENS

    def call(_: int) -> None:
        with pytest.raises(Unavailable):
            client.predict(IMAGE, timeout_seconds=60)

    with (
        start_serving(refusing.answer) as serving,
        Client(serving.address, timeout_seconds=60) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        list(pool.map(call, range(n_calls)))
        # Each failure takes a token. Without the bound there were four for each call.
        assert n_calls <= refusing.calls < n_calls + RETRY_TOKENS
        # No call more than one try, until some have succeeded.
        before = refusing.calls
        call(0)
        assert refusing.calls == before + 1
        refusing.code = grpc.StatusCode.OK
        list(pool.map(lambda _: client.predict(IMAGE), range(RETRY_TOKENS + 4)))
        refusing.code = grpc.StatusCode.UNAVAILABLE
        before = refusing.calls
        call(0)
        assert refusing.calls == before + 4


def test_overload_says_when_to_come_back() -> None:
    assert Overloaded("busy").retry_after_seconds is None
    assert Overloaded("busy", 0.5).retry_after_seconds == 0.5


def test_every_method_is_covered() -> None:
    (method,) = json.loads(service_config("localhost:1", 3))["methodConfig"]
    # A service without a method stands for all of its methods.
    assert method["name"] == [{"service": SERVICE}, {"service": HEALTH_SERVICE}]
    assert method["retryPolicy"]["maxAttempts"] == 4
    assert json.loads(service_config("localhost:1", 0)) == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retries": -1}, "retries is -1; give a whole number from 0 to 4"),
        ({"retries": 5}, "retries is 5; give a whole number from 0 to 4"),
        ({"connections": 0}, "connections is 0; give a whole number from 1 to 256"),
        ({"connections": 10**6}, "connections is 1000000; give"),
        ({"hedge_after_seconds": 0}, "hedge_after_seconds is 0; give seconds above 0"),
        ({"hedge_after_seconds": float("nan")}, "hedge_after_seconds is nan; give seconds"),
        ({"compression": "zip"}, "compression is 'zip'; give 'gzip', or None for none"),
    ],
)
def test_values_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Client("localhost:1", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retries": 2.0}, r"retries is 2\.0; give a whole number from 0 to 4"),
        ({"retries": None}, "retries is None; give a whole number"),
        ({"connections": True}, "connections is True; give a whole number from 1 to 256"),
        ({"hedge_after_seconds": "1"}, "hedge_after_seconds is '1'; give seconds as a number"),
        ({"compression": []}, "compression is \\[\\]; give 'gzip', or None for none"),
    ],
)
def test_values_of_other_kinds(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Client("localhost:1", **options)
