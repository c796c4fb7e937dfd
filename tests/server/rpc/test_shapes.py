"""Which shapes of a ModelInfer are those of a model's images."""

import math
from typing import cast

import pytest

from mlpserve.inference.open_inference_pb2 import ModelInferRequest
from server.errors import InvalidField
from server.models.model import Model
from server.rpc.inference import requests
from tests.server.rpc.test_answer_bytes import Shape

ONE_PIXEL = {
    # shape: whether it is one of images of one pixel
    **dict.fromkeys([(1,), (1, 1), (3,), (3, 1), (3, 1, 1), (1, 1, 1, 1)], True),
    **dict.fromkeys([(1, 3), (1, 1, 3), (1, 3, 1), (3, 3)], False),
}


@pytest.mark.parametrize("shape", ONE_PIXEL)
def test_shape_of_images_of_one_pixel(shape: tuple[int, ...]) -> None:
    model = cast(Model, Shape((1, 2, 2)))
    tensor = ModelInferRequest.InferInputTensor(name="pixels", datatype="FP32", shape=shape)
    values = math.prod(shape)
    sent = ModelInferRequest(inputs=[tensor], raw_input_contents=[bytes(4 * values)])
    request, pixels, _ = requests.read_request(sent.SerializeToString())
    if ONE_PIXEL[shape]:
        assert request.count_images(pixels, model, 1000) == values
    else:
        with pytest.raises(InvalidField, match=r"wanted \[N, 1\]"):
            request.count_images(pixels, model, 1000)
