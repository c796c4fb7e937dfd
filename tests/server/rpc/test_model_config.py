"""ModelConfig and what ModelMetadata says beside it, against settings, files and NumPy."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from exporter import network
from exporter.export import graph, publishing
from harness.calls import ask
from harness.networks import random_network
from harness.server_process import ROOT, ServerProcess, mode, start_server
from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.image_layout import encode_image_layout
from modelfile.input_range import FINITE, InputRange
from tests.server.versions import publish

TYPES = protocol.DataType


def config_of(channel: grpc.Channel, name: str, version: str = "") -> protocol.ModelConfig:
    request = protocol.ModelConfigRequest(name=name, version=version)
    return ask(channel, "ModelConfig", request, protocol.ModelConfigResponse).config


def properties_of(channel: grpc.Channel, name: str) -> dict[str, str]:
    request = protocol.ModelMetadataRequest(name=name)
    answer = ask(channel, "ModelMetadata", request, protocol.ModelMetadataResponse)
    return dict(answer.properties)


def parameters_of(config: protocol.ModelConfig) -> dict[str, str]:
    return {name: value.string_value for name, value in config.parameters.items()}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of models that are served in different ways."""
    folder = tmp_path_factory.mktemp("several")
    for name in ("newest", "listed", "labelled", "both"):
        for version in (1, 2, 3):
            publish(folder, version, name)
    arguments = (
        *("--versions", "latest 2; listed: 3, 1; both: 2; labelled: latest 1"),
        *("--labels", "labelled: stable 1, next 3; both: old 1"),
        *("--max-batch-size", "12", "--max-queued-images", "777", "--batch-delay-seconds", "0.002"),
        *("--workers", "2", "--default-model", "newest"),
    )
    with start_server(folder, *arguments) as running:
        yield running


@pytest.fixture(scope="module")
def asked(several: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(several.grpc_address) as channel:
        yield channel


def test_config_says_what_goes_in_and_out(each_channel: grpc.Channel) -> None:
    config = config_of(each_channel, "digits")
    assert (config.name, config.platform, config.backend) == (
        *("digits", "onnxruntime_onnx", "onnxruntime"),
    )
    assert config.default_model_filename == "model.onnx"
    (given,) = config.input
    assert (given.name, given.data_type, list(given.dims)) == ("pixels", TYPES.TYPE_FP32, [784])
    assert [(one.name, one.data_type, list(one.dims)) for one in config.output] == [
        ("activations", TYPES.TYPE_FP32, [10]),
        ("labels", TYPES.TYPE_INT64, [1]),
    ]
    assert config.HasField("model_transaction_policy")
    assert not config.model_transaction_policy.decoupled
    assert config_of(each_channel, "digits", "1") == config
    assert config_of(each_channel, "") == config, "the default model"


def test_config_has_the_settings(channel: grpc.Channel, asked: grpc.Channel) -> None:
    ordinary, changed = config_of(channel, "digits"), config_of(asked, "newest")
    assert (ordinary.max_batch_size, changed.max_batch_size) == (1000, 12)
    for config, delay, images in ((ordinary, 0, 16_384), (changed, 2000, 777)):
        batching = config.dynamic_batching
        assert batching.max_queue_delay_microseconds == delay
        assert batching.default_queue_policy.max_queue_size == images
        assert batching.default_queue_policy.allow_timeout_override
    (group,) = changed.instance_group
    assert (group.name, group.count, group.kind) == ("newest_0", 2, group.KIND_CPU)


def test_version_policy_is_what_is_served(asked: grpc.Channel) -> None:
    newest, listed, both = (config_of(asked, name) for name in ("newest", "listed", "both"))
    assert newest.version_policy.latest.num_versions == 2
    assert newest.version_policy.WhichOneof("policy_choice") == "latest"
    assert list(listed.version_policy.specific.versions) == [1, 3]
    assert list(both.version_policy.specific.versions) == [1, 2], "labelled ones are served too"
    # The newest beside labelled ones is neither of Triton's policies.
    labelled = config_of(asked, "labelled")
    assert not labelled.HasField("version_policy")
    parameters = parameters_of(labelled)
    assert parameters["versions"] == "latest 1"
    assert json.loads(parameters["version_labels"]) == {"stable": 1, "next": 3}
    assert "version_labels" not in parameters_of(newest)


def test_a_label_stands_for_its_version(asked: grpc.Channel) -> None:
    stable, newest = (config_of(asked, "labelled", name) for name in ("stable", ""))
    assert config_of(asked, "labelled", "1") == stable
    assert config_of(asked, "labelled", "next") == config_of(asked, "labelled", "3") == newest
    assert stable.parameters["weights_sha256"] != newest.parameters["weights_sha256"]


def test_properties_are_those_of_the_network(each_channel: grpc.Channel) -> None:
    saved = network.load(ROOT / "exporter" / "weights" / "digits.npz")
    assert saved.image_layout is not None
    shipped, layout = saved.network, encode_image_layout(saved.image_layout)
    digest = hashlib.sha256()
    for layer in shipped.layers:
        digest.update(layer.weights.tobytes() + layer.biases.tobytes())
    properties = properties_of(each_channel, "digits")
    assert properties.pop("weights_sha256") == digest.hexdigest()
    assert {name: json.loads(text) for name, text in properties.items()} == {
        "input_range": [0, 1],
        "parameters": 13_002,
        "labels": list("0123456789"),
        "layer_sizes": [784, 16, 16, 10],
        "layer_activations": ["sigmoid"] * 3,
        "hidden_outputs": {"hidden_1": 16, "hidden_2": 16},
        "image_layout": layout | {"centre": list(layout["centre"])},
    }
    config = parameters_of(config_of(each_channel, "digits"))
    assert config == properties_of(each_channel, "digits") | {"versions": "latest 1"}


@pytest.mark.parametrize("numbers", [FINITE, InputRange(-1.5, 2)])
def test_another_network_has_other_properties(tmp_path: Path, numbers: InputRange) -> None:
    flat = replace(random_network((4, 3), ("softmax",)), input_range=numbers)
    publishing.publish(graph.build(flat), tmp_path, "flat", 1)
    with (
        start_server(tmp_path) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        properties = properties_of(channel, "flat")
        assert properties["hidden_outputs"] == "{}"
        assert properties["layer_activations"] == '["softmax"]'
        assert properties["input_range"] == ("finite" if numbers == FINITE else "[-1.5, 2]")
        assert parameters_of(config_of(channel, "flat")).items() > properties.items()


@pytest.mark.parametrize("lane", [True, False])
def test_what_is_too_long_is_left_out(tmp_path: Path, lane: bool) -> None:
    """Answers stay within what clients receive by default, and within the server's limit."""
    many = random_network((4, 65_536), ("identity",))
    many = replace(many, labels=tuple(f"label {index:06}" for index in range(65_536)))
    publishing.publish(graph.build(many), tmp_path, "many", 1)
    wide = replace(random_network((4, 3)), labels=("é" * 250, "画" * 250, "c"))
    publishing.publish(graph.build(wide), tmp_path, "wide", 1)
    with (
        start_server(tmp_path, "--default-model", "wide", *mode(lane)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        properties = properties_of(channel, "many")
        assert "labels" not in properties
        assert properties["left_out"].startswith("labels: more than 65536 bytes; mlpserve.v1")
        assert json.loads(properties["layer_sizes"]) == [4, 65_536]
        assert parameters_of(config_of(channel, "many"))["left_out"] == properties["left_out"]
        assert json.loads(properties_of(channel, "wide")["labels"]) == list(wide.labels)
    limit = ("--max-message-bytes", "4096", "--default-model", "wide")
    with (
        start_server(tmp_path, *limit, *mode(lane)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        properties = properties_of(channel, "wide")
        assert "labels" not in properties
        assert properties["left_out"].startswith("labels: more than 256 bytes; ")
        assert "left_out" in config_of(channel, "wide").parameters
