"""Numbers keep their value on their way through JSON, in both directions."""

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.errors import HttpError
from server.http.inference.requests import Forms, read_request
from server.http.inference.responses import write_response

Floats = npt.NDArray[np.float32]
IN_JSON, BINARY = Forms({}, others=False), Forms({}, others=True)

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
batches = arrays(np.float32, array_shapes(min_dims=1, max_dims=4, max_side=5), elements=floats)


def read(datatype: str, shape: Sequence[int], data: object) -> bytes:
    """The values of a request, as they go to the gRPC port."""
    tensor = {"name": "pixels", "datatype": datatype, "shape": list(shape), "data": data}
    body = json.dumps({"inputs": [tensor]}).encode()
    values = read_request(body, len(body)).values
    assert isinstance(values, bytes)
    return values


def answer(values: Floats) -> protocol.ModelInferResponse:
    """What the gRPC port may answer."""
    output = protocol.ModelInferResponse.InferOutputTensor(
        name="hidden_1", datatype="FP32", shape=values.shape
    )
    return protocol.ModelInferResponse(outputs=[output], raw_output_contents=[values.tobytes()])


@given(batches)
def test_floats_of_a_request(values: Floats) -> None:
    for data in (values.tolist(), values.ravel().tolist()):
        assert read("FP32", values.shape, data) == values.tobytes()
    # As short as each number can be written.
    shortest = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    assert read("FP32", values.shape, json.loads(shortest)) == values.tobytes()


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_levels_of_a_request(values: npt.NDArray[np.uint8]) -> None:
    for data in (values.tolist(), values.ravel().tolist()):
        assert read("UINT8", values.shape, data) == values.tobytes()


@given(batches)
def test_floats_of_an_answer(values: Floats) -> None:
    (output,) = json.loads(bytes(write_response(answer(values), IN_JSON).body))["outputs"]
    assert np.array(output["data"], np.float32).tobytes() == values.tobytes()


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_json_has_no_number_for(number: float) -> None:
    values = np.array([[0.5, number]], np.float32)
    with pytest.raises(HttpError, match="hidden_1 holds infinity or NaN") as raised:
        write_response(answer(values), IN_JSON)
    assert raised.value.status == 400
    assert bytes(write_response(answer(values), BINARY).body).endswith(values.tobytes())
