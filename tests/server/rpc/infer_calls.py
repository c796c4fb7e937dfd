"""ModelInfer by generated code: requests in both forms, and the call."""

from typing import TypeAlias

import grpc
import numpy as np

from harness.calls import ask
from mlpserve.inference import open_inference_pb2 as protocol

Infer: TypeAlias = protocol.ModelInferRequest
Inferred: TypeAlias = protocol.ModelInferResponse
Tensor: TypeAlias = Infer.InferInputTensor
Contents: TypeAlias = protocol.InferTensorContents


def infer(channel: grpc.Channel, request: Infer) -> Inferred:
    return ask(channel, "ModelInfer", request, Inferred)


def raw_request(pixels: np.ndarray, *outputs: str, **fields: object) -> Infer:
    """A request with the pixels as bytes."""
    datatype = "UINT8" if pixels.dtype == np.uint8 else "FP32"
    request = Infer(
        inputs=[Tensor(name="pixels", datatype=datatype, shape=pixels.shape)],
        outputs=[Infer.InferRequestedOutputTensor(name=name) for name in outputs],
        raw_input_contents=[pixels.tobytes()],
    )
    request.MergeFrom(Infer(**fields))  # type: ignore[arg-type]
    return request


def typed_request(pixels: np.ndarray, *outputs: str) -> Infer:
    """A request with the pixels in the field of their type."""
    request = raw_request(pixels, *outputs)
    del request.raw_input_contents[:]
    values = pixels.ravel().tolist()
    is_bytes = pixels.dtype == np.uint8
    contents = Contents(uint_contents=values) if is_bytes else Contents(fp32_contents=values)
    request.inputs[0].contents.CopyFrom(contents)
    return request
