"""GetNetwork returns the weights that the exporter wrote."""

from pathlib import Path

import numpy as np
import pytest

from exporter.export import graph, publishing
from exporter.network.activations import ACTIVATIONS
from exporter.network.network import Network
from harness.networks import random_network
from harness.server_process import start_server
from mlpserve import Client, MlpserveError, ModelNotFound

NAMES = tuple(sorted(ACTIVATIONS))
MIXED = random_network((9, *range(2, 2 + len(NAMES))), NAMES, seed=4)


def check(client: Client, expected: Network, **named: str | int) -> None:
    found = client.get_network(**named)  # type: ignore[arg-type]  # names and versions
    assert found.label_names == expected.labels
    assert len(found.layers) == len(expected.layers)
    for layer, wanted in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, wanted.weights)
        np.testing.assert_array_equal(layer.biases, wanted.biases)
        assert layer.activation == wanted.activation


def test_networks_come_back_as_they_were(
    models: Path, networks: dict[tuple[str, int], Network], tmp_path: Path
) -> None:
    with (
        start_server(models, "--versions", "latest 2", "--labels", "small: old 1") as server,
        Client(server.grpc_address) as client,
    ):
        check(client, networks["digits", 1])
        check(client, networks["small", 2], model="small")
        check(client, networks["small", 1], model="small", label="old")
        check(client, networks["small", 1], model="small", version=1)
        check(client, networks["wide", 1], model="wide")
        with pytest.raises(ModelNotFound, match="'letters' is not loaded"):
            client.get_network(model="letters")
    publishing.publish(graph.build(MIXED), tmp_path, "mixed")
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        check(client, MIXED)


def test_weights_that_are_not_those_promised(tmp_path: Path) -> None:
    model = graph.build(MIXED)
    (entry,) = (entry for entry in model.metadata_props if entry.key == "weights_sha256")
    entry.value = "0" * 64
    publishing.publish(model, tmp_path, "mixed")
    with start_server(tmp_path) as server, Client(server.grpc_address) as client:
        with pytest.raises(MlpserveError, match="INTERNAL"):
            client.get_network()
        failed = server.wait_for("call failed")
        assert "its metadata says 0000" in str(failed["exception"])
