"""A small gRPC server that classifies by the first pixels of an image, or as a test tells it to."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from mlpserve.v1 import classifier_pb2

SERVICE = "mlpserve.v1.Classifier"
N_PIXELS = 784
LABEL_NAMES = tuple("0123456789")
N_CLASSES = len(LABEL_NAMES)
HIDDEN = 3

Answer = Callable[[classifier_pb2.PredictRequest, grpc.ServicerContext], Any]
AnswerStream = Callable[
    [Iterator[classifier_pb2.PredictRequest], grpc.ServicerContext], Iterator[Any]
]


def read_batch(request: classifier_pb2.PredictRequest) -> npt.NDArray[np.float32]:
    """The request's images (N, 784)."""
    if request.pixels_u8:
        levels = np.frombuffer(request.pixels_u8, np.uint8).astype(np.float32)
        return levels.reshape(-1, N_PIXELS) / np.float32(255)
    return np.array(request.pixels, dtype=np.float32).reshape(-1, N_PIXELS)


def classify(
    request: classifier_pb2.PredictRequest, context: grpc.ServicerContext | None = None
) -> classifier_pb2.PredictResponse:
    """The first ten pixels are the activations, the next three a hidden layer."""
    batch = read_batch(request)
    activations = batch[:, :N_CLASSES]
    hidden = batch[:, N_CLASSES : N_CLASSES + HIDDEN]
    layers = [classifier_pb2.LayerActivations(neurons=HIDDEN, activations=hidden.ravel().tolist())]
    nothing = classifier_pb2.Canonicalization(
        inverted=[False] * len(batch),
        scales=[1.0] * 2 * len(batch),
        shifts=[0.0] * 2 * len(batch),
        pixels=batch.ravel().tolist() if request.canonical_pixels else [],
    )
    return classifier_pb2.PredictResponse(
        model=request.model or "pixels",
        version=request.version or 3,
        labels=activations.argmax(axis=1).tolist(),
        label_names=LABEL_NAMES,
        activations=activations.ravel().tolist(),
        hidden_layers=layers if request.hidden_activations else [],
        canonicalization=nothing if request.canonicalize else None,
    )


def classify_each(
    requests: Iterator[classifier_pb2.PredictRequest], _: grpc.ServicerContext
) -> Iterator[classifier_pb2.PredictStreamResponse]:
    """Answer each request of a stream by itself."""
    for request in requests:
        yield classifier_pb2.PredictStreamResponse(response=classify(request))


def list_models(_: bytes, __: grpc.ServicerContext) -> classifier_pb2.ListModelsResponse:
    """Two models that take 784 numbers and don't tell how their images are laid out."""
    versions = [
        classifier_pb2.ModelVersion(
            version=number,
            state=classifier_pb2.ModelVersion.STATE_LOADED,
            layer_sizes=[N_PIXELS, HIDDEN, N_CLASSES],
        )
        for number in (3, 8)
    ]
    models = [
        classifier_pb2.Model(name=name, versions=versions, default_version=3)
        for name in ("pixels", "other")
    ]
    return classifier_pb2.ListModelsResponse(models=models, default_model="pixels")


def serialize(response: Any) -> bytes:
    """Let a test answer with a message or with bytes of its own."""
    return response if isinstance(response, bytes) else bytes(response.SerializeToString())


@dataclass(slots=True)
class Serving:
    """A running server: where it listens, and the requests that have arrived."""

    address: str = ""
    requests: list[classifier_pb2.PredictRequest] = field(default_factory=list)


@contextlib.contextmanager
def start_serving(
    answer: Answer = classify,
    *,
    health: grpc.GenericRpcHandler | None = None,
    address: str = "127.0.0.1:0",
    max_message_bytes: int = 64 * 1024 * 1024,
    credentials: grpc.ServerCredentials | None = None,
    network: Callable[[grpc.ServicerContext], bytes] | None = None,
    stream: AnswerStream = classify_each,
) -> Iterator[Serving]:
    """Answer Predict with `answer`, PredictStream with `stream`, and GetNetwork with `network`,
    until the block ends.
    """
    serving = Serving()

    def predict(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        serving.requests.append(request)
        return answer(request, context)

    def predict_stream(
        requests: Iterator[classifier_pb2.PredictRequest], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        def arriving() -> Iterator[classifier_pb2.PredictRequest]:
            for request in requests:
                serving.requests.append(request)
                yield request

        return stream(arriving(), context)

    method = grpc.unary_unary_rpc_method_handler(
        predict,
        request_deserializer=classifier_pb2.PredictRequest.FromString,
        response_serializer=serialize,
    )
    models: Any = grpc.unary_unary_rpc_method_handler(list_models, response_serializer=serialize)
    each: Any = grpc.stream_stream_rpc_method_handler(
        predict_stream,
        request_deserializer=classifier_pb2.PredictRequest.FromString,
        response_serializer=serialize,
    )
    methods = {"Predict": method, "PredictStream": each, "ListModels": models}
    if network is not None:
        methods["GetNetwork"] = grpc.unary_unary_rpc_method_handler(
            lambda _request, context: network(context)
        )
    classifier = grpc.method_handlers_generic_handler(SERVICE, methods)
    server = grpc.server(
        futures.ThreadPoolExecutor(4),
        handlers=[classifier] if health is None else [classifier, health],
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    serving.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield serving
    finally:
        server.stop(None).wait()
