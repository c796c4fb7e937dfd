"""Calls to the server without the client library, and what its errors say."""

import queue
from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeVar

import grpc
import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from mlpserve.inference import open_inference_pb2
from mlpserve.v1 import admin_pb2, admin_pb2_grpc, classifier_pb2

PREDICT = "/mlpserve.v1.Classifier/Predict"
STREAM = "/mlpserve.v1.Classifier/PredictStream"
DETAILS = "grpc-status-details-bin"
INFERENCE = "inference.GRPCInferenceService"
BLACK = [0.0] * 784

Response = TypeVar("Response", bound=Message)
Pairs: TypeAlias = Sequence[tuple[str, str]]

Stream: TypeAlias = (
    "grpc.StreamStreamMultiCallable[classifier_pb2.PredictRequest | bytes, "
    "classifier_pb2.PredictStreamResponse]"
)


def predict(
    channel: grpc.Channel, request: classifier_pb2.PredictRequest | bytes
) -> classifier_pb2.PredictResponse:
    """Send a request, or any bytes in its place."""
    message = request if isinstance(request, bytes) else request.SerializeToString()
    return predict_method(channel)(message, timeout=60)


def predict_method(
    channel: grpc.Channel,
) -> "grpc.UnaryUnaryMultiCallable[bytes, classifier_pb2.PredictResponse]":
    """Return Predict as a callable that takes serialized requests."""
    return channel.unary_unary(
        PREDICT, response_deserializer=classifier_pb2.PredictResponse.FromString
    )


def stream_method(channel: grpc.Channel) -> Stream:
    """Return PredictStream as a callable that takes requests, or any bytes in their places."""

    def serialize(request: classifier_pb2.PredictRequest | bytes) -> bytes:
        return request if isinstance(request, bytes) else request.SerializeToString()

    return channel.stream_stream(
        STREAM,
        request_serializer=serialize,
        response_deserializer=classifier_pb2.PredictStreamResponse.FromString,
    )


class Idle:
    """Requests of a stream whose caller has nothing more to say until `finish`."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[classifier_pb2.PredictRequest | None]
        self._requests = queue.SimpleQueue()

    def __iter__(self) -> Iterator[classifier_pb2.PredictRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def send(self, request: classifier_pb2.PredictRequest) -> None:
        self._requests.put(request)

    def finish(self) -> None:
        self._requests.put(None)


def raw_method(channel: grpc.Channel, path: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    """Return a method at a path such as /SERVICE/METHOD as a callable from bytes to bytes."""
    return channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)


def infer_request(
    images: npt.NDArray[np.float32] | npt.NDArray[np.uint8], *, model: str = "", version: str = ""
) -> open_inference_pb2.ModelInferRequest:
    """Return a request of the Open Inference Protocol for images (N, pixels), floats or bytes."""
    datatype = "UINT8" if images.dtype == np.uint8 else "FP32"
    tensor = open_inference_pb2.ModelInferRequest.InferInputTensor
    return open_inference_pb2.ModelInferRequest(
        model_name=model,
        model_version=version,
        inputs=[tensor(name="pixels", datatype=datatype, shape=images.shape)],
        raw_input_contents=[images.tobytes()],
    )


def ask(
    channel: grpc.Channel,
    method: str,
    request: Message,
    kind: type[Response],
    metadata: Pairs = (),
) -> Response:
    """Return the answer of a method of the Open Inference Protocol."""
    call = raw_method(channel, f"/{INFERENCE}/{method}")
    return kind.FromString(call(request.SerializeToString(), timeout=120, metadata=tuple(metadata)))


def bearer(token: str) -> list[tuple[str, str]]:
    """Return the metadata that shows a token."""
    return [("authorization", f"Bearer {token}")]


def reload(channel: grpc.Channel, token: str) -> admin_pb2.ReloadResponse:
    """Have the server read again what it can, as somebody with this admin token."""
    stub = admin_pb2_grpc.AdminStub(channel)  # type: ignore[no-untyped-call]  # generated
    answer: admin_pb2.ReloadResponse
    answer = stub.Reload(admin_pb2.ReloadRequest(), metadata=bearer(token), timeout=60)
    return answer


def status(error: grpc.RpcError) -> status_pb2.Status:
    """Return the google.rpc.Status that came with an error, which must say what the call says."""
    (packed,) = (item.value for item in error.trailing_metadata() if item.key == DETAILS)
    found = status_pb2.Status.FromString(packed)
    assert (found.code, found.message) == (error.code().value[0], error.details())
    return found


def violation(error: grpc.RpcError) -> error_details_pb2.BadRequest.FieldViolation:
    """Return the only violation of a BadRequest."""
    (detail,) = details_of(error, error_details_pb2.BadRequest)
    (only,) = detail.field_violations
    return only


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """Return the only ErrorInfo of an error."""
    (info,) = details_of(error, error_details_pb2.ErrorInfo)
    return info


def retry_seconds(error: grpc.RpcError) -> float | None:
    """Return when an error says that a retry may help; None when it doesn't."""
    found = details_of(error, error_details_pb2.RetryInfo)
    return found[0].retry_delay.ToTimedelta().total_seconds() if found else None


def details_of(error: grpc.RpcError, kind: type[Response]) -> list[Response]:
    """Return the details of a kind that came with an error."""
    found = []
    for packed in status(error).details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found
