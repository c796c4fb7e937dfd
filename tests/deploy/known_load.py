"""Calls of every kind and outcome to a server with TLS and tokens, each counted by its caller."""

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import numpy as np

from exporter.network.network import Batch
from harness.calls import infer_request
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictResponse, PredictStreamResponse

# In quotes, since the classes take parameters for the type checker alone.
Unary: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"
Stream: TypeAlias = "grpc.StreamStreamMultiCallable[bytes, bytes]"

CLASSIFIER, INFERENCE = "mlpserve.v1.Classifier", "inference.GRPCInferenceService"
PREDICT, INFER = f"{CLASSIFIER}/Predict", f"{INFERENCE}/ModelInfer"
TOKEN = "0123456789abcdef-caller"
METADATA = (("authorization", f"Bearer {TOKEN}"),)
CONNECTIONS = 8

SIZES = (1, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55)
"""Images of the calls; a spread of durations, as from callers of all kinds."""


SLOW_METHODS = ("PredictStream", "ListModels", "other")
"""Those of the calls that take threads; a worker lacks series of rare codes before the first."""

SMALL = 4
"""Pixels of the model of that name."""


@dataclass(slots=True)
class Load:
    """What callers have counted: calls by method and code; answers, also within streams, by model,
    version and number of images; and failures of a model's version that they had named, by code.
    """

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.calls + other.calls,
            self.answers + other.answers,
            self.failures + other.failures,
        )

    @property
    def images(self) -> int:
        """The images that were answered."""
        return sum(n * calls for (_, _, n), calls in self.answers.items())

    def images_of(self, model: str, version: str) -> int:
        """Return the images that a version has answered."""
        answers = self.answers.items()
        return sum(n * calls for (*which, n), calls in answers if which == [model, version])

    def count(self, method: str, answer: bytes, images: int) -> None:
        """Count what a method has answered for so many images."""
        if method == INFER:
            inferred = protocol.ModelInferResponse.FromString(answer)
            self.answers[inferred.model_name, inferred.model_version, images] += 1
        else:
            predicted = PredictResponse.FromString(answer)
            self.answers[predicted.model, str(predicted.version), images] += 1


@dataclass(frozen=True, slots=True)
class Request:
    """A unary call's method, message and number of images, whether it shows its token, and the
    version of digits that it names.
    """

    method: str
    message: bytes
    images: int = 0
    shows_token: bool = True
    version: str = ""


def _mixture(images: Batch) -> list[Request]:
    """Return requests that are answered, and that are refused for each reason that is certain.

    Those of ModelInfer are all answered.
    """
    pixels = (images * 255).astype(np.uint8)
    answered = [
        *(
            Request(PREDICT, PredictRequest(pixels_u8=pixels[:n].tobytes()).SerializeToString(), n)
            for n in SIZES[::3]
        ),
        *(
            Request(INFER, infer_request(pixels[:n], model="digits").SerializeToString(), n)
            for n in SIZES
        ),
    ]
    small = PredictRequest(pixels_u8=bytes(SMALL), model="small").SerializeToString()
    answered.append(Request(PREDICT, small, 1))
    one = pixels[:1].tobytes()
    refused = [
        *(_bad("canary", "2"), _bad("canary", "2"), _bad("stable", "1")),
        Request(PREDICT, PredictRequest(pixels_u8=one, model="no").SerializeToString()),
        Request(PREDICT, PredictRequest(pixels_u8=one).SerializeToString(), shows_token=False),
        Request(f"{CLASSIFIER}/Nothing", b""),
        Request(f"{CLASSIFIER}/ListModels", b""),
    ]
    return [*answered, *refused]


def _bad(label: str, version: str) -> Request:
    """Return a request that the version with that label refuses."""
    message = PredictRequest(pixels=[2.0] * 784, label=label)
    return Request(PREDICT, message.SerializeToString(), version=version)


def run(address: str, certificate: bytes, images: Batch, *, rounds: int) -> Load:
    """Make every call so many times on each connection; returns what they were, all ended."""
    load, lock = Load(), threading.Lock()
    mixture = _mixture(images)

    def call(number: int) -> None:
        own = Load()
        with connect(address, certificate) as channel:
            methods: dict[str, Unary] = {
                each.method: channel.unary_unary(f"/{each.method}") for each in mixture
            }
            # Each begins elsewhere, so that unlike calls meet.
            turned = mixture[number:] + mixture[:number]
            for request in itertools.chain.from_iterable(itertools.repeat(turned, rounds)):
                metadata = METADATA if request.shows_token else ()
                try:
                    answer = methods[request.method](request.message, metadata=metadata, timeout=30)
                except grpc.RpcError as error:
                    code = code_name(error.code())
                    own.calls[request.method, code] += 1
                    if request.version:
                        own.failures["digits", request.version, code] += 1
                else:
                    own.calls[request.method, "OK"] += 1
                    if request.images:
                        own.count(request.method, answer, request.images)
        with lock:
            load.calls += own.calls
            load.answers += own.answers
            load.failures += own.failures

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _refuse_a_stream(address, certificate, load)
    return load


def _refuse_a_stream(address: str, certificate: bytes, load: Load) -> None:
    """Open more streams than one, which must be as many as the server takes."""
    stream = f"{CLASSIFIER}/PredictStream"
    message = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
    goes_on = threading.Event()

    def messages() -> Iterator[bytes]:
        yield message
        goes_on.wait()

    with connect(address, certificate) as channel:
        open_stream: Stream = channel.stream_stream(f"/{stream}")
        first = open_stream(messages(), metadata=METADATA, timeout=30)
        answer = PredictStreamResponse.FromString(next(first)).response
        load.count(PREDICT, answer.SerializeToString(), 1)
        try:
            list(open_stream(iter([message]), metadata=METADATA, timeout=30))
        except grpc.RpcError as error:
            load.calls[stream, code_name(error.code())] += 1
        goes_on.set()
        assert list(first) == []
        load.calls[stream, code_name(first.code())] += 1


@contextlib.contextmanager
def connect(address: str, certificate: bytes) -> Iterator[grpc.Channel]:
    """A connection that no other shares, so that the kernel may give it to another worker."""
    credentials = grpc.ssl_channel_credentials(certificate)
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(address, credentials, options) as channel:
        yield channel


def code_name(code: grpc.StatusCode) -> str:
    """Return the code as metrics have it."""
    return "OK" if code is grpc.StatusCode.OK else code.name.title().replace("_", "")
