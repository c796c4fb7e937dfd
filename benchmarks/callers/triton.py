"""Calls by the Open Inference Protocol, by tritonclient in an environment of its own."""

import functools
import sys
from typing import Any

import numpy.typing as npt
import tritonclient.grpc as triton

from benchmarks.callers.timed import Case, Repeat, inputs, repeat, serve

TRITON = "tritonclient"
MODEL = "digits"


def main(address: str) -> None:
    """Call the server as told."""
    cases: dict[Case, Repeat] = {}
    with triton.InferenceServerClient(address) as client:

        def predict(images: npt.NDArray[Any]) -> tuple[Any, Any]:
            datatype = "UINT8" if images.dtype == "u1" else "FP32"
            tensor = triton.InferInput("pixels", list(images.shape), datatype)
            tensor.set_data_from_numpy(images)
            result = client.infer(MODEL, [tensor])
            return result.as_numpy("labels"), result.as_numpy("activations")

        for size, kind, images in inputs():
            cases[Case(TRITON, size, kind)] = repeat(functools.partial(predict, images))
        serve(cases)


if __name__ == "__main__":
    main(sys.argv[1])
