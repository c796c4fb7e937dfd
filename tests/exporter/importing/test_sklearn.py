"""scikit-learn's classifiers answer the same after import, export and being served."""

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import sklearn  # type: ignore[import-untyped]
import skops.io  # type: ignore[import-untyped]
from click.testing import CliRunner
from onnx.reference import ReferenceEvaluator
from sklearn.neural_network import MLPClassifier, MLPRegressor  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import (  # type: ignore[import-untyped]
    MinMaxScaler,
    Normalizer,
    StandardScaler,
)

from exporter import cli, importing, network
from exporter.network.network import Batch
from exporter.network.weights_file import WeightsError
from harness.server_process import start_server
from mlpserve import Client
from modelfile import hints
from tests.exporter.classifiers import fitted, images_and_digits

TOLERANCE = 1e-5


def run(*arguments: str | Path) -> None:
    result = CliRunner().invoke(cli.main, [str(part) for part in arguments])
    assert result.exit_code == 0, result.output


def exported(classifier: Any, folder: Path, *options: str) -> Path:
    """Dump a classifier, import it, export it as model `imported`, and return model.onnx's path."""
    source, weights = folder / "classifier.skops", folder / "weights.npz"
    skops.io.dump(classifier, source)
    run("import", source, "--output", weights, *options)
    run("export", "--weights", weights, "--repository", folder / "models", "--name", "imported")
    return folder / "models" / "imported" / "1" / "model.onnx"


def evaluate(path: Path, batch: Batch) -> Batch:
    (activations,) = ReferenceEvaluator(onnx.load(path)).run(["activations"], {"pixels": batch})
    return np.asarray(activations)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_digits_through_both_commands(tmp_path: Path, activation: str, solver: str) -> None:
    images, digits = images_and_digits()
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "7", "8", "9"])
    classifier = fitted(
        images.astype(np.float64), names[digits], activation=activation, solver=solver
    )
    path = exported(classifier, tmp_path)
    np.testing.assert_allclose(
        evaluate(path, images), classifier.predict_proba(images), atol=TOLERANCE, rtol=0
    )
    saved = network.load(tmp_path / "weights.npz")
    # predict_proba's columns are in the order of classes_, which sorts.
    assert saved.network.labels == tuple(sorted(names))
    assert saved.provenance["source"] == "classifier.skops"
    assert saved.provenance["origin"] == "scikit-learn MLPClassifier"


def test_two_classes_are_served_as_predict_proba_has_them(tmp_path: Path) -> None:
    images, digits = images_and_digits()
    classifier = fitted(images, np.where(digits > 4, "big", "small"))
    assert classifier.coefs_[-1].shape[1] == 1
    exported(classifier, tmp_path)
    wanted = classifier.predict_proba(images)
    with (
        start_server(tmp_path / "models", "--default-model", "imported") as server,
        Client(server.grpc_address) as client,
    ):
        prediction = client.predict(images)
    np.testing.assert_allclose(prediction.activations, wanted, atol=TOLERANCE, rtol=0)
    assert prediction.label_names == ("big", "small")
    np.testing.assert_array_equal(
        np.array(prediction.label_names)[prediction.labels], classifier.predict(images)
    )


@pytest.mark.parametrize("parts", [{}, {"with_mean": False}, {"with_std": False}])
def test_pipeline_with_a_scaler_takes_pixels(tmp_path: Path, parts: dict[str, bool]) -> None:
    images, digits = images_and_digits()
    # Trained on 0 to 16, standardised; some pixels are always 0. The model gets 0 to 1.
    pipeline = make_pipeline(StandardScaler(**parts), fitted(images, digits))
    pipeline.fit(16.0 * images, digits)
    path = exported(pipeline, tmp_path, "--input-scale", "16")
    np.testing.assert_allclose(
        evaluate(path, images), pipeline.predict_proba(16.0 * images), atol=TOLERANCE, rtol=0
    )


def test_a_scaler_of_other_numbers_asks_which_they_are(tmp_path: Path) -> None:
    images, digits = images_and_digits()
    columns = 16 * images
    pipeline = make_pipeline(StandardScaler(), fitted(images, digits)).fit(columns, digits)
    wanted = r"input_range: .* means from 0 to .*, which are not pixels in \[0, 1\]; say which it"
    with pytest.raises(WeightsError, match=wanted):
        importing.from_sklearn(pipeline)
    skops.io.dump(pipeline, tmp_path / "c.skops")
    result = CliRunner().invoke(cli.main, ["import", str(tmp_path / "c.skops")])
    assert result.exit_code == 1
    assert "--input-range on the command line: LOW,HIGH or finite" in result.stderr
    # Each of these explains the means.
    for options in (
        {"input_range": "[0, 16]"},
        {"input_range": "finite"},
        {"input_scale": 16},
    ):
        found = importing.from_sklearn(pipeline, **options)
        assert str(found.input_range) == options.get("input_range", "[0, 1]")
        inputs = images if "input_scale" in options else columns.astype(np.float32)
        np.testing.assert_allclose(
            found.forward(inputs)[-1], pipeline.predict_proba(columns), atol=TOLERANCE, rtol=0
        )
    path = exported(pipeline, tmp_path, "--input-range", "0,16")
    np.testing.assert_allclose(
        evaluate(path, columns.astype(np.float32)),
        pipeline.predict_proba(columns),
        atol=TOLERANCE,
        rtol=0,
    )


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (np.array([3, 5, 8]), ("3", "5", "8")),
        (np.array([0.0, 0.5, 7.0]), ("0", "0.5", "7")),
        (np.array(["a", "b", "c"], dtype=object), ("a", "b", "c")),
        (np.array([False, True]), ("False", "True")),
    ],
)
def test_labels_are_the_classes(classes: Any, labels: tuple[str, ...]) -> None:
    images, digits = images_and_digits()
    # Of floats scikit-learn takes whole ones only, so their names are given to a fitted one.
    classifier = fitted(images, digits % len(classes))
    classifier.classes_ = classes
    assert importing.from_sklearn(classifier).labels == labels
    renamed = tuple(f"class {label}" for label in labels)
    assert importing.from_sklearn(classifier, labels=renamed).labels == renamed


def test_several_classes_an_image_are_told(tmp_path: Path) -> None:
    images, digits = images_and_digits()
    classifier = fitted(images, np.stack([digits > 4, digits % 2 == 0, digits == 3], axis=1))
    notes: list[str] = []
    found = importing.from_sklearn(classifier, tell=notes.append)
    np.testing.assert_allclose(
        found.forward(images)[-1], classifier.predict_proba(images), atol=TOLERANCE, rtol=0
    )
    assert "fitted on several classes an image" in notes[0]


def test_no_hidden_layers() -> None:
    images, digits = images_and_digits()
    classifier = fitted(images, digits, hidden_layer_sizes=())
    found = importing.from_sklearn(classifier)
    assert found.sizes == (64, 10)
    np.testing.assert_allclose(
        found.forward(images)[-1], classifier.predict_proba(images), atol=TOLERANCE, rtol=0
    )


def test_square_weights_are_transposed_as_scikit_learn_has_them() -> None:
    images, digits = images_and_digits()
    classifier = fitted(images[:, :4], digits % 4, hidden_layer_sizes=(4,))
    np.testing.assert_allclose(
        importing.from_sklearn(classifier).forward(images[:, :4])[-1],
        classifier.predict_proba(images[:, :4]),
        atol=TOLERANCE,
        rtol=0,
    )


def test_what_is_no_fitted_classifier() -> None:
    images, digits = images_and_digits()
    classifier = fitted(images, digits)
    regressor = MLPRegressor(hidden_layer_sizes=(2,), max_iter=500, tol=1.0).fit(images, digits)
    wrong: list[tuple[object, str]] = [
        (MLPClassifier(), "classifier: not fitted; call its fit first"),
        (regressor, "classifier: MLPRegressor, wanted an MLPClassifier"),
        (object(), "classifier: object, wanted an MLPClassifier"),
        (make_pipeline(MinMaxScaler(), classifier), "pipeline: MinMaxScaler stands before"),
        (make_pipeline(Normalizer(), StandardScaler(), classifier), "pipeline: Normalizer > Stand"),
        (make_pipeline(StandardScaler(), StandardScaler(), classifier), "pipeline: StandardScaler"),
    ]
    for found, explained in wrong:
        with pytest.raises(WeightsError, match=explained):
            importing.from_sklearn(found)


class Unknown:
    """A type that skops can't know."""

    def __init__(self) -> None:
        self.number = 1


def test_types_that_skops_does_not_trust_are_refused(tmp_path: Path) -> None:
    images, digits = images_and_digits()
    classifier = fitted(images, digits)
    classifier.extra = Unknown()
    skops.io.dump(classifier, tmp_path / "c.skops")
    result = CliRunner().invoke(cli.main, ["import", str(tmp_path / "c.skops")])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}/c.skops: it holds ")
    assert "Unknown, which could run code when read" in result.stderr
    assert "AdamOptimizer" not in result.stderr


def test_skops_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, digits = images_and_digits()
    skops.io.dump(fitted(images, digits), tmp_path / "c.skops")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    result = CliRunner().invoke(cli.main, ["import", str(tmp_path / "c.skops")])
    assert result.exit_code == 1
    assert hints.command("pip install scikit-learn skops") in result.stderr


def test_files_of_another_version_are_read_without_a_warning(tmp_path: Path) -> None:
    images, digits = images_and_digits()
    classifier = fitted(images, digits)
    content = io.BytesIO(skops.io.dumps(classifier))
    with zipfile.ZipFile(content) as written, zipfile.ZipFile(tmp_path / "c.skops", "w") as older:
        for name in written.namelist():
            member = written.read(name)
            if name == "schema.json":
                assert sklearn.__version__.encode() in member
                member = member.replace(sklearn.__version__.encode(), b"1.0.0")
            older.writestr(name, member)
    result = CliRunner().invoke(
        cli.main, ["import", str(tmp_path / "c.skops"), "--output", str(tmp_path / "w.npz")]
    )
    assert result.exit_code == 0, result.output


def test_pipeline_with_a_step_left_out() -> None:
    images, digits = images_and_digits()
    pipeline = make_pipeline("passthrough", fitted(images, digits)).fit(images, digits)
    np.testing.assert_allclose(
        importing.from_sklearn(pipeline).forward(images)[-1],
        pipeline.predict_proba(images),
        atol=TOLERANCE,
        rtol=0,
    )


def test_damaged_skops_files(tmp_path: Path) -> None:
    images, digits = images_and_digits()
    path = tmp_path / "c.skops"
    skops.io.dump([1, 2, 3], path)
    result = CliRunner().invoke(cli.main, ["import", str(path)])
    assert result.stderr == f"Error: {path}: classifier: list, wanted an MLPClassifier\n"
    classifier = fitted(images, digits)
    del classifier.intercepts_
    skops.io.dump(classifier, path)
    result = CliRunner().invoke(cli.main, ["import", str(path)])
    assert result.exit_code == 1
    assert f"Error: {path}: skops can't read it: AttributeError" in result.stderr
    classifier = fitted(images, digits)
    classifier.coefs_[1] = np.ones(3)
    skops.io.dump(classifier, path)
    result = CliRunner().invoke(cli.main, ["import", str(path)])
    assert result.exit_code == 1
    assert f"Error: {path}: coefs_[1]: shape (3,), wanted weights with two" in result.stderr
