"""Responses written as bytes are what protobuf would have written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from mlpserve.v1.classifier_pb2 import LayerActivations, PredictRequest, PredictResponse
from server.errors import InvalidField
from server.rpc.classifier import read_request, write_response

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


@given(
    model=st.sampled_from(["", "", "digits", "é"]),
    version=st.sampled_from([0, 0, 7, -1]),
    floats=st.lists(FLOATS, max_size=6),
    levels=st.binary(max_size=6),
    hidden=st.booleans(),
    canonicalize=st.booleans(),
    seen=st.booleans(),
)
def test_request_is_what_protobuf_reads(
    model: str,
    version: int,
    floats: list[float],
    levels: bytes,
    hidden: bool,
    canonicalize: bool,
    seen: bool,
) -> None:
    sent = PredictRequest(
        model=model,
        version=version,
        pixels=floats,
        pixels_u8=levels,
        hidden_activations=hidden,
        canonicalize=canonicalize,
        canonical_pixels=seen,
    )
    message = sent.SerializeToString()
    # Whoever comes second may take a shorter way.
    for _ in range(2):
        if floats and levels:
            with pytest.raises(InvalidField, match="both given"):
                read_request(message)
            continue
        if seen and not canonicalize:
            with pytest.raises(InvalidField, match="set canonicalize too"):
                read_request(message)
            continue
        found, pixels, _ = read_request(message)
        assert (found.model, found.version) == (model, version)
        assert (found.hidden_activations, found.canonicalize) == (hidden, canonicalize)
        assert found.is_bytes == bool(levels)
        expected = levels or np.array(floats, "<f4").tobytes()
        assert bytes(pixels) == expected
