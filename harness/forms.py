"""The forms that a call may have: which method, and where in its message the pixels are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from modelfile.layout import INPUT, OUTPUT
from server.models.model import LABELS
from server.rpc.endpoint import INFER, PREDICT

PIXELS = 784

IDENTIFIER = "0" * 16
"""An id, which the load generator overwrites with the number of the call."""


@dataclass(frozen=True, slots=True)
class Form:
    """A method's path, and what writes a serialized request for a number of images.

    `identifier` is the text in the request that is another one in each call, if there is any.
    """

    path: str
    write: Callable[[int], bytes]
    is_bytes: bool = False
    identifier: str = ""


def floats(images: int) -> npt.NDArray[np.float32]:
    """Return random pixels as numbers."""
    return np.random.default_rng(0).random(PIXELS * images, dtype=np.float32)


def levels(images: int) -> npt.NDArray[np.uint8]:
    """Return random pixels as bytes."""
    return np.random.default_rng(0).integers(0, 256, PIXELS * images, np.uint8)


def predict_floats(images: int) -> bytes:
    """Return a serialized PredictRequest with numbers."""
    return PredictRequest(pixels=floats(images)).SerializeToString()


def predict_bytes(images: int) -> bytes:
    """Return a serialized PredictRequest with bytes."""
    return PredictRequest(pixels_u8=levels(images).tobytes()).SerializeToString()


def infer_fp32(images: int, identifier: str = "", outputs: tuple[str, ...] = ()) -> bytes:
    """Return a serialized ModelInferRequest with numbers in raw_input_contents."""
    message = _infer(images, "FP32", identifier, outputs)
    message.raw_input_contents.append(floats(images).tobytes())
    return message.SerializeToString()


def infer_uint8(images: int) -> bytes:
    """Return a serialized ModelInferRequest with bytes in raw_input_contents."""
    message = _infer(images, "UINT8")
    message.raw_input_contents.append(levels(images).tobytes())
    return message.SerializeToString()


def infer_contents(images: int) -> bytes:
    """Return a serialized ModelInferRequest with numbers in the input's fp32_contents."""
    message = _infer(images, "FP32")
    message.inputs[0].contents.fp32_contents.extend(floats(images))
    return message.SerializeToString()


def infer_id(images: int) -> bytes:
    """Return the same as `infer_fp32`, with an id."""
    return infer_fp32(images, IDENTIFIER)


def infer_outputs(images: int) -> bytes:
    """Return the same as `infer_fp32`, asking for both outputs by their names."""
    return infer_fp32(images, outputs=(OUTPUT, LABELS))


def _infer(
    images: int, datatype: str, identifier: str = "", outputs: tuple[str, ...] = ()
) -> protocol.ModelInferRequest:
    request = protocol.ModelInferRequest
    return request(
        model_name="digits",
        id=identifier,
        inputs=[
            request.InferInputTensor(name=INPUT, datatype=datatype, shape=[images, PIXELS]),
        ],
        outputs=[request.InferRequestedOutputTensor(name=name) for name in outputs],
    )


PREDICT_FLOATS = Form(PREDICT, predict_floats)

FORMS = {
    "Predict floats": PREDICT_FLOATS,
    "Predict bytes": Form(PREDICT, predict_bytes, is_bytes=True),
    "ModelInfer FP32": Form(INFER, infer_fp32),
    "ModelInfer UINT8": Form(INFER, infer_uint8, is_bytes=True),
    "ModelInfer typed": Form(INFER, infer_contents),
    "ModelInfer id": Form(INFER, infer_id, identifier=IDENTIFIER),
    "ModelInfer outputs": Form(INFER, infer_outputs),
}
"""By their names in tables."""
