"""What the client reads of models and networks, and which answers it refuses."""

import numpy as np
import pytest

from mlpserve import InvalidResponse
from mlpserve.protocol import catalog
from mlpserve.v1 import classifier_pb2

Network = classifier_pb2.GetNetworkResponse
Layer = classifier_pb2.Layer
Version = classifier_pb2.ModelVersion


def test_models() -> None:
    loaded = Version(version=3, state=Version.STATE_LOADED, layer_sizes=[4, 2], label_names="ab")
    failed = Version(version=4, state=Version.STATE_FAILED, error="damaged")
    model = classifier_pb2.Model(
        name="small", versions=[loaded, failed], default_version=3, labels={"stable": 3}
    )
    response = classifier_pb2.ListModelsResponse(models=[model], default_model="small")
    (found,) = catalog.decode_models(response.SerializeToString())
    assert (found.name, found.default_version, found.is_default) == ("small", 3, True)
    assert found.labels == {"stable": 3}
    assert [(one.version, one.is_loaded, one.error) for one in found.versions] == [
        (3, True, ""),
        (4, False, "damaged"),
    ]
    assert (found.versions[0].layer_sizes, found.versions[0].label_names) == ((4, 2), ("a", "b"))


def test_network() -> None:
    layer = Layer(inputs=3, neurons=2, weights=[1, 2, 3, 4, 5, 6], biases=[7, 8], activation="relu")
    response = Network(model="small", version=3, layers=[layer], label_names=["a", "b"])
    found = catalog.decode_network(response.SerializeToString())
    assert (found.model, found.version, found.label_names) == ("small", 3, ("a", "b"))
    np.testing.assert_array_equal(found.layers[0].weights, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(found.layers[0].biases, [7, 8])
    assert found.layers[0].activation == "relu"


@pytest.mark.parametrize(
    "layer",
    [
        Layer(inputs=2, neurons=2, weights=[1], biases=[1, 2]),
        Layer(inputs=1, neurons=1, weights=[1]),
        Layer(inputs=0, neurons=-1),
        Layer(inputs=-1, neurons=-1, weights=[1]),
    ],
)
def test_network_that_contradicts_itself(layer: Layer) -> None:
    with pytest.raises(InvalidResponse, match="not a valid GetNetworkResponse"):
        catalog.decode_network(Network(layers=[layer]).SerializeToString())


def test_answers_that_are_none() -> None:
    with pytest.raises(InvalidResponse, match="not a valid ListModelsResponse"):
        catalog.decode_models(b"\xff\xff")
    with pytest.raises(InvalidResponse, match="not a valid GetNetworkResponse"):
        catalog.decode_network(b"\xff\xff")
