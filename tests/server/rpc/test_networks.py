"""GetNetwork returns the weights that the exporter wrote."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exporter.export import graph, publishing
from exporter.network.network import Network
from harness.networks import random_network
from harness.server_process import ServerProcess, start_server
from mlpserve import Client, InvalidRequest, MlpserveError, ModelNotFound
from modelfile.activations import ACTIVATIONS

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


@pytest.fixture(scope="module")
def serving(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, Client]]:
    """A server of many models, and a client; the weights of `changed` are not those promised."""
    folder = tmp_path_factory.mktemp("networks")
    shutil.copytree(models, folder, dirs_exist_ok=True)
    publishing.publish(graph.build(MIXED), folder, "mixed")
    changed = graph.build(MIXED)
    (entry,) = (entry for entry in changed.metadata_props if entry.key == "weights_sha256")
    entry.value = "0" * 64
    publishing.publish(changed, folder, "changed")
    settings = ("--default-model", "digits", "--versions", "latest 2", "--labels", "small: old 1")
    with start_server(folder, *settings) as server, Client(server.grpc_address) as client:
        yield server, client


def test_networks_come_back_as_they_were(
    serving: tuple[ServerProcess, Client], networks: dict[tuple[str, int], Network]
) -> None:
    _, client = serving
    check(client, networks["digits", 1])
    check(client, networks["small", 2], model="small")
    check(client, networks["small", 1], model="small", label="old")
    check(client, networks["small", 1], model="small", version=1)
    check(client, MIXED, model="mixed")
    with pytest.raises(ModelNotFound, match="'letters' is not loaded"):
        client.get_network(model="letters")


def test_weights_that_are_not_those_promised(serving: tuple[ServerProcess, Client]) -> None:
    server, client = serving
    with pytest.raises(MlpserveError, match="INTERNAL"):
        client.get_network(model="changed")
    failed = server.wait_for("call failed")
    assert "its metadata says 0000" in str(failed["exception"])


def test_a_network_larger_than_the_servers_messages(repository: Path) -> None:
    words = (
        r"^the answer has up to \d+ bytes, and the server sends at most 50000; raise the server's "
        r"--max-message-bytes, and where the answer is larger than this client takes, give Client "
    )
    with (
        start_server(repository, "--max-message-bytes", "50000") as server,
        Client(server.grpc_address) as client,
        pytest.raises(InvalidRequest, match=words),
    ):
        client.get_network()
