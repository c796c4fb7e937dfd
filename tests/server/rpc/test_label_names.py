"""Of classes that are not called by their indices, every protocol tells the names."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from exporter.export import graph, publishing
from exporter.network.network import Batch
from harness.calls import ask
from harness.networks import random_batch, random_network
from harness.server_process import mode, start_server
from mlpserve import Client
from mlpserve.command.commands import mlpserve
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import classifier_pb2
from tests.conftest import connected
from tests.server.rpc.infer_calls import Infer, Inferred, infer, raw_request, typed_request

NAMES = ("3", "5", "8")
LONG = tuple(f"class {index:03}" for index in range(150))
NETWORKS = {
    "some": replace(random_network((784, 3)), labels=NAMES),
    "words": replace(random_network((784, 3)), labels=("drei", "fünf", "a b")),
    "digits": random_network((784, 10)),
    "many": replace(random_network((784, 150)), labels=LONG),
}
NETWORKS["digits"] = replace(NETWORKS["digits"], labels=tuple("0123456789"))
IMAGES = random_batch(20, 784)

Serving = tuple[grpc.Channel, Client, str]


@pytest.fixture(scope="module", params=[True, False], ids=["lane", "threads"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("names")
    for name, network in NETWORKS.items():
        publishing.publish(graph.build(network), folder, name)
    with (
        start_server(folder, "--default-model", "some", *mode(request.param)) as server,
        Client(server.grpc_address) as client,
        connected(server) as channel,
    ):
        yield channel, client, server.grpc_address


def expected(name: str, images: Batch) -> list[str]:
    network = NETWORKS[name]
    return [network.labels[index] for index in network.forward(images)[-1].argmax(axis=1)]


def named(response: Inferred) -> list[str]:
    """The names of a response's labels, by what it says itself."""
    (place,) = (i for i, output in enumerate(response.outputs) if output.name == "labels")
    output = response.outputs[place]
    names = json.loads(output.parameters["label_names"].string_param)
    if response.raw_output_contents:
        indices = np.frombuffer(response.raw_output_contents[place], "<i8").tolist()
    else:
        indices = list(output.contents.int64_contents)
    return [names[index] for index in indices]


@pytest.mark.parametrize("form", [raw_request, typed_request])
@pytest.mark.parametrize("name", ["some", "words"])
def test_model_infer(serving: Serving, name: str, form: Callable[..., Infer]) -> None:
    channel, _, _ = serving
    for outputs in ((), ("labels",), ("labels", "activations")):
        for n in (1, 20):
            request = form(IMAGES[:n], *outputs)
            request.model_name = name
            assert named(infer(channel, request)) == expected(name, IMAGES[:n])


def test_model_infer_of_callers_at_once(serving: Serving) -> None:
    """Whose answers are written together."""
    channel, _, _ = serving
    with ThreadPoolExecutor(20) as callers:
        requests = [raw_request(image[np.newaxis], model_name="some") for image in IMAGES]
        answers = callers.map(lambda request: infer(channel, request), requests)
        assert [named(answer)[0] for answer in answers] == expected("some", IMAGES)


def test_model_stream_infer(serving: Serving) -> None:
    channel, _, _ = serving
    stream = channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        request_serializer=Infer.SerializeToString,
        response_deserializer=protocol.ModelStreamInferResponse.FromString,
    )
    (answer,) = stream(iter([raw_request(IMAGES, model_name="some")]), timeout=60)
    assert named(answer.infer_response) == expected("some", IMAGES)


def test_names_that_are_indices_or_long_are_left_to_the_metadata(serving: Serving) -> None:
    channel, _, _ = serving
    for name in ("digits", "many"):
        response = infer(channel, raw_request(IMAGES, model_name=name))
        assert not [output for output in response.outputs if output.parameters]
        metadata = ask(
            channel,
            "ModelMetadata",
            protocol.ModelMetadataRequest(name=name),
            protocol.ModelMetadataResponse,
        )
        assert tuple(json.loads(metadata.properties["labels"])) == NETWORKS[name].labels


def test_classification(serving: Serving) -> None:
    channel, _, _ = serving
    request = raw_request(IMAGES, model_name="some")
    request.outputs.add(name="activations").parameters["classification"].int64_param = 1
    request.parameters["binary_data_output"].bool_param = False
    (output,) = infer(channel, request).outputs
    texts = [text.decode().split(":")[2] for text in output.contents.bytes_contents]
    assert texts == expected("some", IMAGES)


def test_model_metadata(serving: Serving) -> None:
    channel, _, _ = serving
    request = protocol.ModelMetadataRequest(name="some")
    found = ask(channel, "ModelMetadata", request, protocol.ModelMetadataResponse)
    assert json.loads(found.properties["labels"]) == [*NAMES]


def test_the_client(serving: Serving) -> None:
    _, client, _ = serving
    prediction = client.predict(IMAGES)
    names = [prediction.label_names[label] for label in prediction.labels]
    assert names == expected("some", IMAGES)
    assert client.get_network(model="some").label_names == NAMES
    (model,) = (model for model in client.list_models() if model.name == "some")
    assert [version.label_names for version in model.versions] == [NAMES]


def test_predict_stream(serving: Serving) -> None:
    channel, _, _ = serving
    stream = channel.stream_stream(
        "/mlpserve.v1.Classifier/PredictStream",
        request_serializer=classifier_pb2.PredictRequest.SerializeToString,
        response_deserializer=classifier_pb2.PredictStreamResponse.FromString,
    )
    request = classifier_pb2.PredictRequest(model="some", pixels=IMAGES.ravel().tolist())
    (answer,) = stream(iter([request]), timeout=60)
    names = [answer.response.label_names[label] for label in answer.response.labels]
    assert names == expected("some", IMAGES)


def test_predict_in_a_terminal(serving: Serving, tmp_path: Path) -> None:
    _, _, address = serving
    levels = np.rint(255 * IMAGES[0]).astype(np.uint8).reshape(28, 28)
    Image.fromarray(levels).save(tmp_path / "x.png")
    command = ["predict", str(tmp_path / "x.png"), "--address", address, "--model", "some"]
    told = CliRunner().invoke(mlpserve, [*command, "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["name"] in NAMES
    assert [*answer["activations"]] == [*NAMES]
    shown = CliRunner().invoke(mlpserve, command)
    assert f"{answer['name']}  activation" in shown.stdout
