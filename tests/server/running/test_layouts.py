"""Networks of other images than MNIST's in canonical mode: scikit-learn's 8 x 8 digits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import mlpserve
from exporter import importing, network
from exporter.export import graph, publishing
from exporter.network.network import Batch
from harness.networks import random_network
from harness.server_process import ServerProcess, start_server
from mlpserve.command.commands import mlpserve as mlpserve_command
from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.image_layout import ImageLayout
from modelfile.input_range import InputRange
from tests.exporter.classifiers import fitted, images_and_digits

SIXTEENTHS = InputRange(0, 16)
HAND_MADE = ImageLayout(8, 8, "dark", 0.9, "mass", (0.5, 0.25), 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """Digits (N, 64) in [0, 16] that the networks were not trained on, and which they are."""

    images: Batch
    labels: Batch


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Small, ServerProcess]]:
    """Serve a network of pixels, the same of numbers up to 16, and each without a layout."""
    pictures, labels = images_and_digits()
    images = np.float32(16) * pictures
    split = 1200
    classifier = fitted(pictures[:split], labels[:split], hidden_layer_sizes=(32,), tol=1e-3)
    pixels = importing.from_sklearn(classifier)
    first = pixels.layers[0]
    wide = replace(
        pixels,
        layers=(replace(first, weights=first.weights / np.float32(16)), *pixels.layers[1:]),
        input_range=SIXTEENTHS,
    )
    folder = tmp_path_factory.mktemp("small")
    for name, made, examples in (
        ("pixels", pixels, images[:split] / np.float32(16)),
        ("wide", wide, images[:split]),
    ):
        path = folder / f"{name}.npz"
        network.save(path, made, examples=examples)
        publishing.publish(graph.build_saved(network.load(path)), folder / "models", name)
        publishing.publish(graph.build(made), folder / "models", f"{name}-unknown")
    given = graph.build(random_network((64, 3)), image_layout=HAND_MADE)
    publishing.publish(given, folder / "models", "given")
    with start_server(folder / "models", "--default-model", "pixels") as server:
        yield Small(images[split:], labels[split:]), server


def read(served: tuple[Small, ServerProcess], images: Batch, model: str, canonical: bool) -> float:
    """Return the share of images that a model reads right."""
    small, server = served
    with mlpserve.Client(server.grpc_address) as client:
        answer = client.predict(images, model=model, canonicalize=canonical)
    return float(np.mean(answer.labels == small.labels))


def test_canonical_mode_reads_what_plain_mode_reads(small: tuple[Small, ServerProcess]) -> None:
    images = small[0].images
    plain = read(small, images / np.float32(16), "pixels", False)
    assert plain > 0.85
    assert read(small, images / np.float32(16), "pixels", True) > plain - 0.01
    assert read(small, 1 - images / np.float32(16), "pixels", True) > plain - 0.01


def test_numbers_of_another_range_are_read_as_well(small: tuple[Small, ServerProcess]) -> None:
    images = small[0].images
    plain = read(small, images, "wide", False)
    assert plain > 0.85
    assert read(small, images, "wide", True) > plain - 0.01
    assert read(small, 16 - images, "wide", True) > plain - 0.01


@pytest.mark.parametrize("model", ["pixels", "wide", "wide-unknown"])
def test_pictures_are_read_for_any_model(
    small: tuple[Small, ServerProcess], tmp_path: Path, model: str
) -> None:
    plain = read(small, small[0].images, "wide", False)
    files = []
    for number, image in enumerate(small[0].images[:100]):
        files.append(str(tmp_path / f"{number}.png"))
        levels = np.rint(image.reshape(8, 8) * (255 / 16)).astype(np.uint8)
        Image.fromarray(levels).save(files[-1])
    command = ["predict", *files, "--json", "--model", model, "--address", small[1].grpc_address]
    result = CliRunner().invoke(mlpserve_command, command)
    assert result.exit_code == 0, result.output
    labels = [json.loads(line)["label"] for line in result.stdout.splitlines()]
    assert np.mean(np.array(labels) == small[0].labels[:100]) > plain - 0.05


def test_without_a_layout_nothing_changes(small: tuple[Small, ServerProcess]) -> None:
    images = small[0].images[:50] / np.float32(16)
    with mlpserve.Client(small[1].grpc_address) as client:
        plain = client.predict(images, model="pixels-unknown")
        canonical = client.predict(images, model="pixels-unknown", canonicalize=True)
    np.testing.assert_array_equal(canonical.activations, plain.activations)
    assert canonical.canonicalization is not None
    assert (canonical.canonicalization.scales == 1).all()


def test_other_numbers_without_a_layout_are_refused(small: tuple[Small, ServerProcess]) -> None:
    with (
        mlpserve.Client(small[1].grpc_address) as client,
        pytest.raises(mlpserve.InvalidRequest, match=r"pixels in .* or images of a known layout"),
    ):
        client.predict(small[0].images, model="wide-unknown", canonicalize=True)


def test_images_are_returned_in_the_range_that_the_network_takes(
    small: tuple[Small, ServerProcess],
) -> None:
    images = small[0].images[:50]
    with mlpserve.Client(small[1].grpc_address) as client:
        asked = client.predict(16 - images, model="wide", canonicalize=True, canonical_pixels=True)
        assert asked.canonicalization is not None
        seen = asked.canonicalization.pixels
        assert seen is not None
        assert 8 < seen.max() <= 16
        again = client.predict(seen, model="wide")
    np.testing.assert_array_equal(again.activations, asked.activations)


def test_bad_numbers_are_named_as_ever(small: tuple[Small, ServerProcess]) -> None:
    images = small[0].images[:2].copy()
    images[1, 7] = np.inf
    with (
        mlpserve.Client(small[1].grpc_address) as client,
        pytest.raises(mlpserve.InvalidRequest, match="image 1, pixel 7"),
    ):
        client.predict(images, model="wide", canonicalize=True)


def test_callers_are_told_the_layout(small: tuple[Small, ServerProcess]) -> None:
    with mlpserve.Client(small[1].grpc_address) as client:
        models = {model.name: model.versions[0] for model in client.list_models()}
        given = client.get_network(model="given").image_layout
        unknown = client.get_network(model="pixels-unknown").image_layout
    assert unknown is models["pixels-unknown"].image_layout is None
    assert given == models["given"].image_layout
    assert given is not None
    assert given.longest_side == pytest.approx(0.9)
    assert replace(given, longest_side=0.9) == mlpserve.ImageLayout(
        8, 8, "dark", 0.9, "mass", (0.5, 0.25), flattest=0.5
    )
    measured = models["pixels"].image_layout
    assert measured is not None
    assert (measured.rows, measured.ink, measured.centring) == (8, "light", "box")


def test_the_open_inference_protocol_tells_it(small: tuple[Small, ServerProcess]) -> None:
    with grpc.insecure_channel(small[1].grpc_address) as channel:
        ask: grpc.UnaryUnaryMultiCallable[
            protocol.ModelMetadataRequest, protocol.ModelMetadataResponse
        ] = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelMetadata",
            request_serializer=protocol.ModelMetadataRequest.SerializeToString,
            response_deserializer=protocol.ModelMetadataResponse.FromString,
        )
        told = ask(protocol.ModelMetadataRequest(name="given")).properties
        silent = ask(protocol.ModelMetadataRequest(name="wide-unknown")).properties
    assert '"centring": "mass", "centre": [0.5, 0.25]' in told["image_layout"]
    assert "image_layout" not in silent


def test_a_damaged_layout_is_refused(tmp_path: Path) -> None:
    model = graph.build(random_network((64, 3)), image_layout=HAND_MADE)
    for entry in model.metadata_props:
        if entry.key == "image_layout":
            entry.value = entry.value.replace('"dark"', '"blue"')
    publishing.publish(model, tmp_path, "damaged")
    publishing.publish(graph.build(random_network((64, 3))), tmp_path, "sound")
    with start_server(tmp_path) as server, mlpserve.Client(server.grpc_address) as client:
        damaged = next(model for model in client.list_models() if model.name == "damaged")
    assert "image_layout: ink is 'blue', wanted light or dark" in damaged.versions[0].error
