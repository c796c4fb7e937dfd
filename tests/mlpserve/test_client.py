"""The client against a gRPC server on a socket: answers, refusals, retries and readiness."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

import mlpserve
from mlpserve import Client, Prediction, Violation
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import (
    HIDDEN,
    LABEL_NAMES,
    N_CLASSES,
    Answer,
    Serving,
    classify,
    start_serving,
)

IMAGES = np.random.default_rng(2).random((5, 28, 28), dtype=np.float32)


@pytest.mark.parametrize(
    ("images", "n_images"),
    [
        (IMAGES, 5),
        (IMAGES.reshape(5, 784), 5),
        (IMAGES[:1].reshape(1, 784), 1),
        (IMAGES[0], 1),
        (IMAGES[0].ravel(), 1),
        (IMAGES[0].astype(np.float64), 1),
        ((IMAGES * 255).astype(np.uint8), 5),
        ((IMAGES * 255).astype(np.uint8)[0], 1),
        (IMAGES[:2].tolist(), 2),
    ],
)
def test_predict(client: Client, images: npt.ArrayLike, n_images: int) -> None:
    prediction = client.predict(images, hidden_activations=True)
    array = np.asarray(images)
    scale = 255 if array.dtype == np.uint8 else 1
    pixels = array.reshape(n_images, 784) / scale
    assert (prediction.model, prediction.version) == ("pixels", 3)
    assert prediction.label_names == LABEL_NAMES
    np.testing.assert_allclose(prediction.activations, pixels[:, :N_CLASSES], rtol=1e-6)
    assert prediction.labels.tolist() == pixels[:, :N_CLASSES].argmax(axis=1).tolist()
    assert prediction.names == tuple(str(label) for label in prediction.labels)
    (hidden,) = prediction.hidden_layers
    np.testing.assert_allclose(hidden, pixels[:, N_CLASSES : N_CLASSES + HIDDEN], rtol=1e-6)


def test_model_version_and_defaults(client: Client, serving: Serving) -> None:
    prediction = client.predict(IMAGES, model="other", version=8)
    assert (prediction.model, prediction.version) == ("other", 8)
    assert prediction.hidden_layers == ()
    client.predict(IMAGES)
    request = serving.requests[-1]
    assert (request.model, request.version, request.hidden_activations) == ("", 0, False)


@pytest.mark.parametrize("shape", [(1568,), (28, 56), (28, 28, 3)])
def test_shape_that_the_model_reads_otherwise(client: Client, shape: tuple[int, ...]) -> None:
    with pytest.raises(mlpserve.InvalidRequest, match=r"its images have 784 pixels"):
        client.predict(np.zeros(shape, np.uint8))


def test_what_cannot_be_sent_is_not_sent(client: Client, serving: Serving) -> None:
    with pytest.raises(ValueError, match="empty"):
        client.predict(np.zeros((0, 784)))
    assert not serving.requests


def test_threads_share_a_client(client: Client) -> None:
    batches = np.random.default_rng(3).random((64, 784), dtype=np.float32)
    with ThreadPoolExecutor(8) as pool:
        predictions = list(pool.map(client.predict, batches))
    for image, prediction in zip(batches, predictions, strict=True):
        assert prediction.activations[0].tolist() == image[:N_CLASSES].tolist()


def test_batch_beyond_the_usual_message_limit(client: Client) -> None:
    images = np.zeros((2_000, 784), np.float32)
    assert images.nbytes > 4 * 1024 * 1024
    assert len(client.predict(images)) == 2_000


def test_answer_beyond_the_usual_message_limit(connect: type[Client]) -> None:
    neurons = 2_000_000

    def answer(*_: object) -> classifier_pb2.PredictResponse:
        layer = classifier_pb2.LayerActivations(neurons=neurons, activations=[1.0] * neurons)
        return classifier_pb2.PredictResponse(
            labels=[0], label_names=["a"], activations=[1], hidden_layers=[layer]
        )

    (hidden,) = ask(connect, answer, 1).hidden_layers
    assert hidden.shape == (1, neurons)


def refuse(code: grpc.StatusCode, message: str, *details: Any) -> Any:
    """An answer that ends the call with google.rpc details."""
    status = status_pb2.Status(code=int(code.value[0]), message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)

    def answer(_: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> None:
        content = status.SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", content),))
        context.abort(code, message)

    return answer


def ask(connect: type[Client], answer: Answer, n_images: int = 5) -> Prediction:
    """Send black images to a server of this answer."""
    images = np.zeros((n_images, 784), np.float32)
    with start_serving(answer) as serving, connect(serving.address) as client:
        return client.predict(images)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, mlpserve.InvalidRequest),
        (grpc.StatusCode.NOT_FOUND, mlpserve.ModelNotFound),
        (grpc.StatusCode.DEADLINE_EXCEEDED, mlpserve.DeadlineExceeded),
        (grpc.StatusCode.UNAVAILABLE, mlpserve.Unavailable),
        (grpc.StatusCode.INTERNAL, mlpserve.MlpserveError),
        (grpc.StatusCode.UNIMPLEMENTED, mlpserve.MlpserveError),
    ],
)
def test_refusals(connect: type[Client], code: grpc.StatusCode, error: type[Exception]) -> None:
    answer = refuse(code, "words of the server")
    with pytest.raises(mlpserve.MlpserveError, match="words of the server") as caught:
        ask(connect, answer)
    assert type(caught.value) is error
    assert isinstance(caught.value.__cause__, grpc.RpcError)


def test_violations(connect: type[Client]) -> None:
    Bad = error_details_pb2.BadRequest
    found = [
        Bad.FieldViolation(field="pixels", description="first", reason="PIXEL_RANGE"),
        Bad.FieldViolation(field="version", description="second"),
    ]
    details = (error_details_pb2.ErrorInfo(reason="OTHER"), Bad(field_violations=found))
    answer = refuse(grpc.StatusCode.INVALID_ARGUMENT, "both are wrong", *details)
    with pytest.raises(mlpserve.InvalidRequest, match=r"^both are wrong$") as caught:
        ask(connect, answer)
    assert caught.value.violations == (
        Violation("pixels", "first", "PIXEL_RANGE"),
        Violation("version", "second", ""),
    )


@pytest.mark.parametrize("content", [b"\xff", b"\x1a\x02\x0a\x05", b""])
def test_details_that_nobody_can_read(connect: type[Client], content: bytes) -> None:
    def answer(_: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", content),))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "still said")

    with pytest.raises(mlpserve.InvalidRequest, match="still said") as caught:
        ask(connect, answer)
    assert caught.value.violations == ()


@pytest.mark.parametrize(("server_bytes", "client_bytes"), [(10_000, 10**6), (10**6, 10_000)])
def test_message_too_large_is_not_overload(
    connect: type[Client], server_bytes: int, client_bytes: int
) -> None:
    options = {"grpc.max_send_message_length": client_bytes}
    with (
        start_serving(max_message_bytes=server_bytes) as serving,
        connect(serving.address, options=options) as client,
        pytest.raises(mlpserve.InvalidRequest, match="send fewer images"),
    ):
        client.predict(IMAGES)
    assert not serving.requests


def test_answer_of_another_language(connect: type[Client]) -> None:
    with pytest.raises(mlpserve.InvalidResponse, match="not a valid PredictResponse"):
        ask(connect, lambda *_: b"\xffhello")


@pytest.mark.parametrize("n_images", [1, 1_000])
def test_unavailable_is_tried_four_times(connect: type[Client], n_images: int) -> None:
    refusal = refuse(grpc.StatusCode.UNAVAILABLE, "not now")
    lengths: list[int] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> None:
        lengths.append(len(request.pixels))
        refusal(request, context)

    with pytest.raises(mlpserve.Unavailable, match="not now"):
        ask(connect, answer, n_images)
    assert lengths == [n_images * 784] * 4


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_call_survives_a_short_absence(connect: type[Client], code: grpc.StatusCode) -> None:
    refusal = refuse(code, "not now")
    calls: list[None] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        calls.append(None)
        return refusal(request, context) if len(calls) < 4 else classify(request)

    assert len(ask(connect, answer)) == 5


def test_nobody_listens(connect: type[Client], silent_address: str) -> None:
    with (
        connect(silent_address) as client,
        pytest.raises(mlpserve.Unavailable, match=f"^{silent_address} is unavailable"),
    ):
        client.predict(IMAGES)


@pytest.mark.parametrize("own_limit", [True, False])
def test_deadline(connect: type[Client], own_limit: bool) -> None:
    released = threading.Event()

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> bytes:
        released.wait(60)
        return b""

    with start_serving(answer) as serving:
        with (
            connect(serving.address, timeout_seconds=60 if own_limit else 0.1) as client,
            pytest.raises(mlpserve.DeadlineExceeded, match="did not answer in time"),
        ):
            client.predict(IMAGES, timeout_seconds=0.1 if own_limit else None)
        released.set()


def test_closed_client(connect: type[Client], serving: Serving) -> None:
    client = connect(serving.address)
    client.close()
    with pytest.raises(ValueError, match="closed"):
        client.predict(IMAGES)


def test_empty_address(connect: type[Client]) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        connect("")


class Health:
    """A grpc.health.v1 service whose answer a test sets; `asked` tells of the first call."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked = threading.Event()
        self.services: set[str] = set()
        method = grpc.unary_unary_rpc_method_handler(
            self._check,
            request_deserializer=health_pb2.HealthCheckRequest.FromString,
            response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
        )
        self.handler = grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": method}
        )

    def _check(self, request: Any, _: grpc.ServicerContext) -> Any:
        self.services.add(request.service)
        self.asked.set()
        return health_pb2.HealthCheckResponse(status=self.status)


SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize(("status", "ready"), [(SERVING, True), (NOT_SERVING, False)])
def test_is_ready(connect: type[Client], status: int, ready: bool) -> None:
    health = Health(status)
    with start_serving(health=health.handler) as serving, connect(serving.address) as client:
        assert client.is_ready() is ready
    assert health.services == {"mlpserve.v1.Classifier"}


def test_is_not_ready_when_nobody_listens(connect: type[Client], silent_address: str) -> None:
    with connect(silent_address) as client:
        assert not client.is_ready()


def test_readiness_of_a_server_without_health(client: Client) -> None:
    with pytest.raises(mlpserve.MlpserveError, match="UNIMPLEMENTED"):
        client.is_ready()


def test_wait_until_ready_waits_for_the_server_and_its_models(
    connect: type[Client], silent_address: str
) -> None:
    health = Health(NOT_SERVING)
    with connect(silent_address) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.wait_until_ready, 60)
        with start_serving(health=health.handler, address=silent_address):
            assert health.asked.wait(60)
            assert not waiting.done()
            health.status = SERVING
            waiting.result(60)


@pytest.mark.parametrize("listening", [True, False])
def test_wait_until_ready_gives_up(
    connect: type[Client], listening: bool, silent_address: str
) -> None:
    health = Health(NOT_SERVING)
    with start_serving(health=health.handler) as serving:
        address = serving.address if listening else silent_address
        with connect(address) as client:
            begin = time.monotonic()
            with pytest.raises(mlpserve.DeadlineExceeded, match=r"not become ready in 0\.3 s"):
                client.wait_until_ready(0.3)
            assert time.monotonic() - begin >= 0.3


def test_options_can_be_changed(connect: type[Client]) -> None:
    agents: list[str] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        metadata = dict(context.invocation_metadata())
        agents.append(str(metadata["user-agent"]))
        return classify(request)

    options = {"grpc.primary_user_agent": "mine"}
    with start_serving(answer) as serving, connect(serving.address, options=options) as client:
        client.predict(IMAGES)
    assert agents[0].startswith("mine ")
