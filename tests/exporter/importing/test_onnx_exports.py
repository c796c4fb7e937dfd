"""Files that PyTorch, scikit-learn, TensorFlow and Keras exported answer the same as networks."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx.reference import ReferenceEvaluator

from exporter import cli, importing, network
from exporter.export import graph
from exporter.importing.source import Array, Choices
from exporter.network.network import Network
from exporter.network.weights_file import WeightsError
from harness.networks import random_network
from modelfile.image_layout import ImageLayout
from modelfile.input_range import FINITE, InputRange

DATA = Path(__file__).parent / "data"
FILES = sorted(path.stem for path in DATA.glob("*.onnx"))

LOGARITHMS = ("torch_view", "torch_one_image")
BYTES = ("torch_bytes", "keras_flatten", "tf2onnx_flatten")
SCALED = ("sklearn_minmax", "sklearn_standard")
ACTIVATIONS = {
    "torch_plain": ("relu", "selu", "identity"),
    "torch_double": ("tanh", "softmax"),
    "torch_normalised": ("tanh", "softmax"),
    "torch_view": ("relu", "softmax"),
    "torch_one_image": ("relu", "softmax"),
    "torch_bytes": ("sigmoid", "softmax"),
    "torch_binary": ("relu", "sigmoid"),
    "sklearn_relu": ("relu", "softmax"),
    "sklearn_logistic": ("sigmoid", "softmax"),
    "sklearn_tanh": ("tanh", "tanh", "softmax"),
    "sklearn_identity": ("identity", "softmax"),
    "sklearn_binary": ("relu", "sigmoid"),
    "sklearn_standard_regression": ("softmax",),
    "sklearn_standard": ("relu", "softmax"),
    "sklearn_minmax": ("relu", "softmax"),
    "sklearn_regression_binary": ("sigmoid",),
    "sklearn_regression": ("softmax",),
    "dense": ("sigmoid", "tanh", "softmax"),
    "flatten": ("relu", "identity"),
    "image": ("selu", "softmax"),
    "normalised": ("relu", "softmax"),
    "binary": ("relu", "sigmoid"),
}


def inputs_and_answers(name: str) -> tuple[Array, Array]:
    """What callers send a served model, and what it should say: shares, not their logarithms."""
    with np.load(DATA / f"{name}.npz") as archive:
        inputs, answers = archive["inputs"], archive["answers"]
    pixels = inputs.reshape(len(inputs), -1).astype(np.float64)
    pixels = pixels / 255 if name.startswith(BYTES) else pixels
    answers = np.exp(answers) if name.startswith(LOGARITHMS) else answers
    if answers.shape[1] == 1:
        answers = np.concatenate([1 - answers, answers], axis=1)
    return pixels.astype(np.float32), answers


def test_there_are_files_of_every_exporter() -> None:
    exporters = {"torch": ("dynamo", "script_7", "script_20"), "sklearn": ("", "double")}
    for exporter, kinds in {**exporters, "keras": ("",), "tf2onnx": ("",)}.items():
        for kind in kinds:
            assert [name for name in FILES if name.startswith(exporter) and name.endswith(kind)]


@pytest.mark.parametrize("name", FILES)
def test_real_exports(name: str, tmp_path: Path) -> None:
    choices = Choices(input_range=FINITE if name.startswith(SCALED) else None)
    imported, provenance = importing.from_file(DATA / f"{name}.onnx", choices)
    pixels, answers = inputs_and_answers(name)
    # With a single image some BLAS kernels add up lanes that hold nothing, and raise their flags.
    with np.errstate(invalid="ignore"):
        found = imported.network.forward(pixels)[-1]
    np.testing.assert_allclose(found, answers, atol=1e-6, rtol=1e-5)
    known = next(kind for kind in ACTIVATIONS if kind in name)
    assert tuple(layer.activation for layer in imported.network.layers) == ACTIVATIONS[known]
    assert str(provenance["checked"]).startswith("answers as the file does in ONNX Runtime 1.")
    origin = {"torch": "pytorch", "sklearn": "skl2onnx", "keras": "tf2onnx", "tf2onnx": "tf2onnx"}
    assert str(provenance["origin"]).startswith(f"ONNX by {origin[name.split('_')[0]]}")


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("sklearn")])
def test_labels_of_scikit_learn(name: str) -> None:
    choices = Choices(input_range=FINITE if name.startswith(SCALED) else None)
    imported, _ = importing.from_file(DATA / f"{name}.onnx", choices)
    with np.load(DATA / f"{name}.npz") as archive:
        labels = archive["labels"].tolist()
    # The converter writes classes that are booleans as integers.
    numbers = {"False": "0", "True": "1"}
    assert list(imported.network.labels) == [numbers.get(label, label) for label in labels]


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(SCALED)])
def test_which_numbers_a_scaler_takes_is_asked(name: str) -> None:
    with pytest.raises(WeightsError, match="input_range: the graph takes numbers around"):
        importing.from_file(DATA / f"{name}.onnx", Choices())


@pytest.mark.parametrize("name", ["sklearn_tanh", "torch_view_dynamo", "keras_flatten"])
def test_the_whole_way_to_a_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    result = runner.invoke(cli.main, ["import", str(DATA / f"{name}.onnx"), "--name", "mine"])
    assert result.exit_code == 0, result.output
    result = runner.invoke(
        cli.main, ["export", "--weights", "checkpoints/mine.npz", "--name", "mine"]
    )
    assert result.exit_code == 0, result.output
    pixels, answers = inputs_and_answers(name)
    path = Path("models/mine/1/model.onnx")
    (found,) = ReferenceEvaluator(onnx.load(path)).run(["activations"], {"pixels": pixels})
    np.testing.assert_allclose(np.asarray(found), answers, atol=1e-6, rtol=1e-5)
    # What was exported here is imported again as it is, with its labels.
    result = runner.invoke(cli.main, ["import", str(path), "--name", "again"])
    assert result.exit_code == 0, result.output
    first, again = (
        network.load(Path(f"checkpoints/{model}.npz")).network for model in ("mine", "again")
    )
    assert again.labels == first.labels
    for layer, other in zip(first.layers, again.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, other.weights)
        np.testing.assert_array_equal(layer.biases, other.biases)


def test_models_of_this_program_keep_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = ImageLayout(8, 8, "light", 0.75, "mass", (0.45, 0.45))
    whole = random_network((64, 5, 3), ("selu", "sigmoid"))
    Path("a.onnx").write_bytes(graph.build(whole, image_layout=layout).SerializeToString())
    named = Network(whole.layers, ("x", "y", "z"), InputRange(-1.0, 2.0))
    Path("b.onnx").write_bytes(graph.build(named).SerializeToString())
    for name in ("a", "b"):
        result = CliRunner().invoke(cli.main, ["import", f"{name}.onnx"])
        assert result.exit_code == 0, result.output
    first, second = (network.load(Path(f"checkpoints/{name}.npz")) for name in ("a", "b"))
    assert (first.image_layout, first.network.labels) == (layout, whole.labels)
    assert (second.network.labels, second.network.input_range) == (named.labels, named.input_range)
    with pytest.raises(WeightsError, match=r"input_range: \[0, 5\], but the source says"):
        importing.from_onnx(Path("b.onnx"), input_range="[0, 5]")
