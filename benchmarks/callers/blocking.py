"""Calls from a thread, by gRPC's stub with a ready message and by `mlpserve.Client`."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from benchmarks.callers.timed import Case, Repeat, inputs, repeat, serve
from mlpserve import Client
from mlpserve.v1 import classifier_pb2, classifier_pb2_grpc

STUB, ARRAYS, CLIENT = "stub", "stub, arrays", "Client"


def message_of(images: npt.NDArray[Any]) -> classifier_pb2.PredictRequest:
    """Return the images as a message that a caller has ready."""
    if images.dtype == "u1":
        return classifier_pb2.PredictRequest(pixels_u8=images.tobytes())
    return classifier_pb2.PredictRequest(pixels=images.ravel().tolist())


def arrays_of(
    call: Callable[[], classifier_pb2.PredictResponse],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return a call's labels and activations as callers want them."""
    response = call()
    return np.array(response.labels), np.array(response.activations, np.float32)


def main(address: str) -> None:
    """Call the server as told."""
    cases: dict[Case, Repeat] = {}
    with grpc.insecure_channel(address) as channel, Client(address) as client:
        stub: Any = classifier_pb2_grpc.ClassifierStub(channel)  # type: ignore[no-untyped-call]  # generated
        for size, kind, images in inputs():
            call = functools.partial(stub.Predict, message_of(images))
            cases[Case(STUB, size, kind)] = repeat(call)
            cases[Case(ARRAYS, size, kind)] = repeat(functools.partial(arrays_of, call))
            cases[Case(CLIENT, size, kind)] = repeat(functools.partial(client.predict, images))
        serve(cases)


if __name__ == "__main__":
    main(sys.argv[1])
