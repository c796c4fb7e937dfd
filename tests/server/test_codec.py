"""Responses written as bytes are what protobuf would have written."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from mlpserve.v1.classifier_pb2 import LayerActivations, PredictResponse
from server.rpc.classifier import write_response

FLOATS = st.floats(width=32, allow_nan=False)


@given(
    model=st.text(max_size=20),
    version=st.integers(0, 2**63 - 1),
    names=st.lists(st.text(max_size=5), min_size=1, max_size=5),
    n_images=st.integers(1, 40),
    hidden_sizes=st.lists(st.integers(1, 40), max_size=3),
    data=st.data(),
)
def test_response_is_what_protobuf_writes(
    model: str,
    version: int,
    names: list[str],
    n_images: int,
    hidden_sizes: list[int],
    data: st.DataObject,
) -> None:
    layers = [
        data.draw(st_numpy.arrays(np.float32, (n_images, size), elements=FLOATS))
        for size in (len(names), *hidden_sizes)
    ]
    labels = layers[0].argmax(axis=1)
    expected = PredictResponse(
        model=model,
        version=version,
        labels=labels.tolist(),
        label_names=names,
        activations=layers[0].ravel().tolist(),
        hidden_layers=[
            LayerActivations(neurons=layer.shape[1], activations=layer.ravel().tolist())
            for layer in layers[1:]
        ],
    )
    contents = [memoryview(layer.tobytes()) for layer in layers]
    written = write_response(model, version, tuple(names), labels.tolist(), contents)
    assert PredictResponse.FromString(written) == expected
    assert written == expected.SerializeToString(deterministic=True)
