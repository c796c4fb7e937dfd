"""Models and networks as JSON say what gRPC says of them."""

from dataclasses import asdict
from pathlib import Path

import httpx
import numpy as np

from exporter.export import graph, publishing
from harness.networks import random_network
from harness.server_process import start_server
from mlpserve import Client
from server.http.typed.models import MAX_WEIGHTS
from tests.server.http.asking import connect


def test_models(http: httpx.Client, client: Client) -> None:
    (told,) = client.list_models()
    listed = http.get("/v1/models").json()
    assert listed["default_model"] == "digits"
    (model,) = listed["models"]
    assert model == http.get("/v1/models/digits").json()
    assert (model["name"], model["default_version"], model["labels"]) == ("digits", 1, {})
    (version,), (wanted,) = model["versions"], told.versions
    layout, wanted_layout = version.pop("image_layout"), wanted.image_layout
    assert version == {
        **{name: value for name, value in asdict(wanted).items() if name != "image_layout"},
        "layer_sizes": list(wanted.layer_sizes),
        "label_names": list(wanted.label_names),
    }
    assert wanted_layout is not None
    assert np.float32(layout["longest_side"]) == np.float32(wanted_layout.longest_side)
    assert (layout["rows"], layout["columns"], layout["ink"]) == (28, 28, "light")
    np.testing.assert_array_equal(
        np.array(layout["centre"], np.float32), np.array(wanted_layout.centre, np.float32)
    )


def test_a_network(http: httpx.Client, client: Client) -> None:
    told = client.get_network()
    for path in ("/v1", "/v1/models/digits", "/v1/models/digits/versions/1"):
        network = http.get(f"{path}/network").json()
        assert (network["model"], network["version"]) == ("digits", 1)
        assert network["label_names"] == list(told.label_names)
        for layer, wanted in zip(network["layers"], told.layers, strict=True):
            assert layer["activation"] == wanted.activation
            for name in ("weights", "biases"):
                found = np.array(layer[name], np.float32)
                np.testing.assert_array_equal(found, getattr(wanted, name), strict=True)


def test_what_is_not_there(http: httpx.Client) -> None:
    for path in (
        "/v1/models/digit",
        "/v1/models/digit/network",
        "/v1/models/digits/versions/7/network",
    ):
        answer = http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
        assert "digits" in answer.json()["error"]


def test_labels_defaults_and_large_networks(tmp_path: Path) -> None:
    for sizes in ((784, 16, 10), (784, 1_258, 10)):
        publishing.publish(graph.build(random_network(sizes)), tmp_path, "large")
    publishing.publish(graph.build(random_network((4, 3))), tmp_path, "small")
    labels = ("--labels", "large: stable 1", "--max-message-bytes", str(1 << 24))
    with start_server(tmp_path, *labels) as server, connect(server) as http:
        assert http.get("/v1/models").json()["default_model"] == ""
        large = http.get("/v1/models/large").json()
        assert (large["labels"], large["default_version"]) == ({"stable": 1}, 2)
        network = http.get("/v1/models/large/labels/stable/network").json()
        assert network["version"] == 1
        answer = http.post("/v1/models/large/labels/stable/predict", json={"pixels": [0] * 784})
        assert answer.json()["version"] == 1
        answer = http.get("/v1/models/large/network")
        assert (answer.status_code, answer.json()["reason"]) == (413, "ANSWER_NUMBERS")
        n_weights = 785 * 1_258 + 1_259 * 10
        assert n_weights > MAX_WEIGHTS
        assert f"has {n_weights} weights and biases" in answer.json()["error"]
        assert "call gRPC's GetNetwork instead" in answer.json()["error"]
        with Client(server.grpc_address) as client:
            found = client.get_network(model="large")
        assert sum(layer.weights.size + layer.biases.size for layer in found.layers) == n_weights
        # There is no default model.
        for answer in (http.get("/v1/network"), http.post("/v1/predict", json={"pixels": [0]})):
            assert (answer.status_code, answer.json()["reason"]) == (404, "MODEL_NOT_FOUND")
            assert "large, small" in answer.json()["error"]
