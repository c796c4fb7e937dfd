"""Columns that are not pixels: scikit-learn's iris, imported, exported, served and asked."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import numpy.typing as npt
import pytest
import skops.io  # type: ignore[import-untyped]
from click.testing import CliRunner
from google.rpc import error_details_pb2
from PIL import Image
from sklearn.datasets import load_iris  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from exporter import cli, importing, network
from exporter.export import graph, publishing
from harness.calls import predict, predict_method, violation
from harness.networks import random_network
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from mlpserve import Client, InvalidRequest
from mlpserve.command.commands import mlpserve as mlpserve_command
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from modelfile.input_range import FINITE
from tests.exporter.classifiers import fitted

Rows = npt.NDArray[np.float64]

STEEP = replace(random_network((4, 6, 3), ("relu", "identity"), scale=30), input_range=FINITE)
"""Its activations grow with its inputs, up to what float32 holds."""

INFER = "/inference.GRPCInferenceService/ModelInfer"
Infer = protocol.ModelInferRequest


@dataclass(frozen=True, slots=True)
class Iris:
    """150 flowers in centimetres (150, 4) and standardised, and what scikit-learn says of them."""

    columns: Rows
    standardised: Rows
    shares: Rows
    labels: tuple[str, ...]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("iris")


@pytest.fixture(scope="session")
def iris(folder: Path) -> Iris:
    """Train on standardised columns; publish that network, and the pipeline with its scaler."""
    data = load_iris()
    scaler = StandardScaler().fit(data.data)
    rows = scaler.transform(data.data)
    names = data.target_names[data.target]
    classifier = fitted(rows, names, hidden_layer_sizes=(8,), activation="tanh")
    alone = importing.from_sklearn(classifier, input_range="finite")
    network.save(folder / "iris.npz", alone, examples=rows[::20].astype(np.float32))
    skops.io.dump(make_pipeline(scaler, classifier), folder / "flowers.skops")
    run("import", folder / "flowers.skops", "--input-range", "0,10", "--output", folder / "f.npz")
    for name, weights in (("iris", "iris.npz"), ("flowers", "f.npz")):
        where = ("--repository", folder / "models", "--name", name)
        run("export", "--weights", folder / weights, *where)
    publishing.publish(graph.build(STEEP), folder / "models", "steep")
    return Iris(data.data, rows, classifier.predict_proba(rows), tuple(classifier.classes_))


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli.main, [str(part) for part in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def serving(iris: Iris, folder: Path, lane: bool) -> Iterator[ServerProcess]:
    assert iris.labels == ("setosa", "versicolor", "virginica")
    with start_server(folder / "models", "--default-model", "iris", *mode(lane)) as running:
        yield running


@pytest.fixture(scope="module")
def connection(serving: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(serving.grpc_address) as opened:
        yield opened


def infer(
    channel: grpc.Channel,
    name: str,
    values: npt.NDArray[np.generic],
    *,
    canonicalize: bool = False,
) -> protocol.ModelInferResponse:
    datatype = "UINT8" if values.dtype == np.uint8 else "FP32"
    request = Infer(
        model_name=name,
        inputs=[Infer.InferInputTensor(name="pixels", datatype=datatype, shape=values.shape)],
        raw_input_contents=[values.tobytes()],
    )
    if canonicalize:
        request.parameters["canonicalize"].bool_param = True
    call: grpc.UnaryUnaryMultiCallable[bytes, protocol.ModelInferResponse] = channel.unary_unary(
        INFER, response_deserializer=protocol.ModelInferResponse.FromString
    )
    return call(request.SerializeToString(), timeout=60)


@pytest.mark.parametrize(("name", "columns"), [("iris", "standardised"), ("flowers", "columns")])
def test_answers_are_scikit_learns(
    serving: ServerProcess, connection: grpc.Channel, iris: Iris, name: str, columns: str
) -> None:
    rows: Rows = getattr(iris, columns)
    with Client(serving.grpc_address) as client:
        prediction = client.predict(rows, model=name)
        (one,) = client.predict(rows[7], model=name).names
    np.testing.assert_allclose(prediction.activations, iris.shares, rtol=0, atol=1e-5)
    assert prediction.names == tuple(np.array(iris.labels)[iris.shares.argmax(axis=1)])
    assert one == prediction.names[7]
    response = infer(connection, name, rows.astype(np.float32))
    activations = np.frombuffer(response.raw_output_contents[0], "<f4").reshape(-1, 3)
    np.testing.assert_allclose(activations, iris.shares, rtol=0, atol=1e-5)
    request = PredictRequest(model=name, pixels=rows.astype(np.float32).ravel())
    assert predict(connection, request).labels == prediction.labels.tolist()


def test_its_range_is_shown_everywhere(
    serving: ServerProcess, connection: grpc.Channel, folder: Path
) -> None:
    with Client(serving.grpc_address) as client:
        flowers, iris, _ = client.list_models()
        networks = [client.get_network(model=name) for name in ("flowers", "iris")]
    assert [model.versions[0].input_range for model in (flowers, iris)] == ["[0, 10]", "finite"]
    assert [found.input_range for found in networks] == ["[0, 10]", "finite"]
    describe: grpc.UnaryUnaryMultiCallable[bytes, protocol.ModelMetadataResponse]
    describe = connection.unary_unary(
        "/inference.GRPCInferenceService/ModelMetadata",
        response_deserializer=protocol.ModelMetadataResponse.FromString,
    )
    for name, shown in (("flowers", "[0, 10]"), ("iris", "finite")):
        request = protocol.ModelMetadataRequest(name=name)
        found = describe(request.SerializeToString(), timeout=60)
        assert found.properties["input_range"] == shown
    card = run("inspect", folder / "models" / "iris")
    assert "4 finite numbers\n" in card
    assert "4 numbers in [0, 10]\n" in run("inspect", folder / "models" / "flowers")
    assert "4 numbers in [0, 10]\n" in run("inspect", folder / "f.npz")


@pytest.mark.parametrize(
    ("name", "value", "reason", "words"),
    [
        ("iris", np.nan, "NOT_FINITE", "is nan; every pixel must be a finite number (prepare them"),
        ("iris", -np.inf, "NOT_FINITE", "is -inf; every pixel must be a finite number"),
        (
            "flowers",
            np.inf,
            "NOT_FINITE",
            "is inf; every pixel must be a number in [0, 10] (prepare",
        ),
        ("flowers", 10.5, "PIXEL_RANGE", "is 10.5; every pixel must be a number in [0, 10]"),
        ("flowers", -1.0, "PIXEL_RANGE", "is -1; every pixel must be a number in [0, 10]"),
    ],
)
def test_numbers_that_it_does_not_take(
    serving: ServerProcess,
    connection: grpc.Channel,
    name: str,
    value: float,
    reason: str,
    words: str,
) -> None:
    rows = np.full((3, 4), 1.5, np.float32)
    rows[1, 2] = value
    request = PredictRequest(model=name, pixels=rows.ravel())
    before = counted(serving, reason)
    for ask in (lambda: predict(connection, request), lambda: infer(connection, name, rows)):
        found = refusal(ask)
        assert (found.field, found.reason) == ("pixels", reason)
        assert f"pixels: image 1, pixel 2 {words}" in found.description
    assert counted(serving, reason) == before + 2
    with Client(serving.grpc_address) as client:
        with pytest.raises(InvalidRequest, match=re.escape(words)):
            client.predict(rows, model=name)
        assert len(client.predict(rows[[0, 2]], model=name)) == 2


def refusal(ask: Callable[[], object]) -> error_details_pb2.BadRequest.FieldViolation:
    """Return why a call is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        ask()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return violation(caught.value)


def counted(server: ServerProcess, reason: str) -> float:
    return value(server, "mlpserve_rejected_requests_total", reason=reason.lower())


def test_what_is_for_pixels_alone(serving: ServerProcess, connection: grpc.Channel) -> None:
    levels, floats = bytes(8), [0.5] * 8
    rows = np.full((2, 4), 0.5, np.float32)
    asked: list[tuple[Callable[[], object], str, str]] = [
        (
            lambda: predict(connection, PredictRequest(model="iris", pixels_u8=levels)),
            "pixels_u8",
            "pixels_u8: bytes stand for pixels in [0, 1], but iris takes finite numbers; send them "
            "as float32",
        ),
        (
            lambda: infer(connection, "flowers", np.zeros((2, 4), np.uint8)),
            "pixels",
            "pixels: bytes stand for pixels in [0, 1], but flowers takes numbers in [0, 10]; send "
            "them as float32",
        ),
        (
            lambda: predict(
                connection, PredictRequest(model="iris", pixels=floats, canonicalize=True)
            ),
            "canonicalize",
            "images of a known layout, but iris takes finite numbers; leave it out",
        ),
        (
            lambda: infer(connection, "flowers", rows, canonicalize=True),
            "canonicalize",
            "images of a known layout, but flowers takes numbers in [0, 10]; leave it out",
        ),
    ]
    before = counted(serving, "not_pixels")
    for ask, field, words in asked:
        found = refusal(ask)
        assert (found.field, found.reason) == (field, "NOT_PIXELS")
        assert words in found.description
    assert counted(serving, "not_pixels") == before + len(asked)
    with Client(serving.grpc_address) as client, pytest.raises(InvalidRequest, match="finite num"):
        client.predict([[True, False], [False, True]])


def test_an_empty_batch_says_what_is_taken(connection: grpc.Channel) -> None:
    for name, words in (
        ("iris", "send N x 4 finite numbers, N >= 1"),
        ("flowers", "send N x 4 numbers in [0, 10], N >= 1"),
    ):
        found = refusal(partial(predict, connection, PredictRequest(model=name)))
        assert found.description == f"the batch is empty: {words}"


def test_a_picture_is_no_flower(serving: ServerProcess, tmp_path: Path) -> None:
    Image.new("L", (2, 2), 128).save(tmp_path / "p.png")
    arguments = ["predict", "--address", serving.grpc_address, "--side", "2"]
    result = CliRunner().invoke(mlpserve_command, [*arguments, str(tmp_path / "p.png")])
    assert result.exit_code == 1
    assert "iris, version 1, takes finite numbers, of which none is black or white" in result.stderr


def test_numbers_that_overflow_cost_their_own_call(
    serving: ServerProcess, connection: grpc.Channel, iris: Iris
) -> None:
    good = iris.standardised[:1].astype(np.float32)
    large = np.array([[3e38, -3e38, 3e38, 3e38]], np.float32)
    before = counted(serving, "overflow")
    calls = predict_method(connection)
    requests = [
        PredictRequest(model="steep", pixels=(large if bad else good).ravel()).SerializeToString()
        for bad in (False, True)
    ]
    futures = [calls.future(requests[number % 2], timeout=60) for number in range(60)]
    wanted = STEEP.forward(good)[-1]
    for number, future in enumerate(futures):
        if number % 2:
            found = refusal(future.result)
            assert (found.field, found.reason) == ("pixels", "OVERFLOW")
            assert "image 0 makes activations overflow float32; send numbers" in found.description
        else:
            np.testing.assert_allclose([future.result().activations], wanted, rtol=1e-5)
    rows = np.concatenate([good] * 600 + [large])
    assert "image 600 makes" in refusal(lambda: infer(connection, "steep", rows)).description
    assert counted(serving, "overflow") == before + 31
    # Infinite sums trouble neither a tanh nor the metrics.
    assert len(infer(connection, "iris", large).outputs) == 2
    for name in ("ink", "margin", "winning_activation"):
        for model in ("steep", "iris"):
            assert np.isfinite(value(serving, f"mlpserve_{name}_sum", model=model))
    assert value(serving, "mlpserve_images_total", model="steep") == 30
