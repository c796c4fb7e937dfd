"""The commands evaluate and card as a user types them, on a few of MNIST's test images."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from exporter import cli, network
from exporter.network.network import Batch
from exporter.network.weights_file import Provenance
from exporter.study import records
from exporter.study.distortions import DISTORTIONS
from exporter.study.palette import FILM, SAFE
from exporter.training import mnist
from exporter.training.mnist import Labels
from harness.networks import random_batch, random_network
from modelfile import hints
from tests.exporter.pictures import has_colour
from tests.exporter.training_images import write_idx

N_TRAIN, N_VALIDATION, N_TEST = 80, 30, 100


@pytest.fixture
def data(digits: tuple[Batch, Labels], tmp_path: Path) -> Path:
    """Small files of MNIST; the images named train are test images too."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    images, labels = digits
    for prefix, chosen in (("t10k", slice(N_TEST)), ("train", slice(N_TEST, N_TEST + N_TRAIN))):
        pixels = np.rint(255 * images[chosen]).astype(np.uint8).reshape(-1, 28, 28)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", pixels)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels[chosen].astype(np.uint8))
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    provenance: Provenance = {"trained by": "chance", "validation_images": N_VALIDATION}
    network.save(path, random_network(), examples=random_batch(8, 784), provenance=provenance)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(part) for part in arguments])


def refused(*arguments: str | Path) -> str:
    """Return the only line of a command that ends with exit code 1."""
    result = run(*arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def share_right(weights: Path, images: Batch, labels: Labels) -> float:
    outputs = network.load(weights).network.forward(images)[-1]
    return float(np.mean(outputs.argmax(axis=1) == labels))


def test_figures_as_tables_json_and_pictures(weights: Path, data: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "figures.json", tmp_path / "new" / "pictures"
    result = run(
        *("evaluate", "--weights", weights, "--data", data, "--json", file, "--pictures", folder),
        *("--palette", "film"),
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    right = share_right(weights, *mnist.load(data, "test"))
    assert f"Accuracy on the test images: {right:.2%} (standard error " in result.stdout
    assert f"Data: not MNIST, {N_TEST} images (SHA-256 " in result.stdout
    for title in ("Classes", "Confusion", "Calibration", "Surest wrong answers", "distorted"):
        assert title in result.stdout
    found = records.decode(json.loads(file.read_text()))
    assert found.accuracy.overall == right
    assert found.accuracy.n_images == N_TEST
    assert found.robustness is not None
    assert [row.distortion for row in found.robustness.distorted] == list(DISTORTIONS)
    assert sorted(path.name for path in folder.iterdir()) == [
        "calibration.png",
        "confusion.png",
        "mistakes.png",
        "robustness.png",
    ]
    assert has_colour(folder / "robustness.png", FILM.positive)
    assert not has_colour(folder / "robustness.png", SAFE.positive)
    assert network.load(weights).evaluation is None, "recorded only when asked to"


@pytest.mark.parametrize(
    ("split", "chosen"),
    [
        ("train", slice(0, N_TRAIN - N_VALIDATION)),
        ("validation", slice(N_TRAIN - N_VALIDATION, None)),
    ],
)
def test_splits_of_the_training_images(
    split: str, chosen: slice, weights: Path, data: Path
) -> None:
    command = ("evaluate", "--weights", weights, "--data", data, "--split", split)
    result = run(*command, "--no-distortions")
    assert result.exit_code == 0, result.output
    images, labels = mnist.load(data, "train")
    right = share_right(weights, images[chosen], labels[chosen])
    assert f"Accuracy on the {split} images: {right:.2%}" in result.stdout
    assert "distorted" not in result.stdout


def test_more_validation_images_than_there_are(data: Path, tmp_path: Path) -> None:
    network.save(tmp_path / "w.npz", random_network())
    command = ("evaluate", "--weights", tmp_path / "w.npz", "--data", data)
    line = refused(*command, "--split", "validation")
    assert "validation_images: 10000 in the provenance, wanted 1 to 79" in line


def test_a_network_of_another_size(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "w.npz"
    network.save(path, random_network((9, 10)))
    line = refused("evaluate", "--weights", path, "--data", data)
    assert f"batch: float32 ({N_TEST}, 784), wanted float32 (N, 9)" in line
    network.save(path, random_network((784, 9)))
    line = refused("evaluate", "--weights", path, "--data", data)
    assert "labels from 0 to 9, but the network's 9 outputs" in line


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh"])
def test_outputs_that_are_no_probabilities_are_not_compared_with_a_half(
    tmp_path: Path, data: Path, activation: str
) -> None:
    weights, card, figures = tmp_path / "w.npz", tmp_path / "w.md", tmp_path / "w.json"
    network.save(weights, random_network((784, 10), (activation,), scale=9))
    result = run("evaluate", "--weights", weights, "--data", data, "--record", "--json", figures)
    assert result.exit_code == 0, result.output
    assert run("card", "--weights", weights, "--output", card).exit_code == 0
    inspected = run("inspect", weights).stdout
    for text in (result.stdout, card.read_text(), inspected):
        assert "0.5 for" not in text
        assert "above 0.5" not in text
        assert "alibration" not in text.split("## Measure it again")[0]
    assert "distorted" in result.stdout
    assert "Data: not MNIST" in result.stdout
    assert "not MNIST, 100 images" in " ".join(card.read_text().split())
    record = json.loads(figures.read_text())
    assert record["confidence"] is None
    assert record["robustness"]["out_of_distribution"] == []


def test_images_that_are_not_square(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    write_idx(
        tmp_path / "t10k-images-idx3-ubyte", random.integers(0, 256, (20, 2, 3)).astype(np.uint8)
    )
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", random.integers(0, 2, 20).astype(np.uint8))
    weights, pictures = tmp_path / "w.npz", tmp_path / "pictures"
    network.save(weights, random_network((6, 2), ("relu",)))
    command = ("evaluate", "--weights", weights, "--data", tmp_path)
    result = run(*command, "--record", "--pictures", pictures)
    assert result.exit_code == 0, result.output
    assert result.stderr == "No distortions: images of 6 pixels are not square.\n"
    assert sorted(path.name for path in pictures.iterdir()) == ["confusion.png", "mistakes.png"]
    card = tmp_path / "w.md"
    assert run("card", "--weights", weights, "--output", card).exit_code == 0
    assert "aren't square" in card.read_text()


def test_record_goes_into_the_weights_file_and_its_exports(
    tmp_path: Path, weights: Path, data: Path
) -> None:
    before = network.load(weights)
    assert run("evaluate", "--weights", weights, "--data", data, "--record").exit_code == 0
    after = network.load(weights)
    right = share_right(weights, *mnist.load(data, "test"))
    assert after.provenance["test_accuracy"] == right
    assert after.provenance["test_images"] == N_TEST
    assert after.provenance["test_dataset"] == "not MNIST", "a few of its images"
    assert {**before.provenance, **after.provenance} == after.provenance
    assert before.examples is not None
    np.testing.assert_array_equal(after.examples, before.examples)
    assert after.evaluation is not None
    measured = records.decode(after.evaluation)
    assert measured.accuracy.overall == right
    assert measured.robustness is not None
    exported = run("export", "--weights", weights, "--repository", tmp_path / "models")
    metadata = {
        entry.key: entry.value for entry in onnx.load(exported.stdout.strip()).metadata_props
    }
    assert json.loads(metadata["evaluation"]) == after.evaluation
    for shown in (weights, tmp_path / "models" / "some"):
        lines = dict(line.split(maxsplit=1) for line in run("inspect", shown).stdout.splitlines())
        assert lines["test_accuracy"] == str(right)
        assert lines["evaluation"].startswith(f"Accuracy on the test images: {right:.2%}")
        assert measured.data is not None
        assert f"not MNIST, {N_TEST} images (SHA-256 {measured.data.images_sha256}, " in " ".join(
            line for line in run("inspect", shown).stdout.splitlines() if "measured on" in line
        )


@pytest.mark.parametrize(
    "less", [("--split", "train"), ("--split", "validation"), ("--no-distortions",)]
)
def test_record_keeps_the_whole_test(less: tuple[str, ...], weights: Path, data: Path) -> None:
    result = run("evaluate", "--weights", weights, "--data", data, *less, "--record")
    assert result.exit_code == 2
    assert "--record keeps the whole evaluation on the test images" in result.stderr
    assert network.load(weights).evaluation is None


def test_inspect_of_a_damaged_evaluation(weights: Path) -> None:
    network.save(weights, random_network(), evaluation={"split": "test"})
    line = refused("inspect", weights)
    assert "evaluation: can't be read (KeyError: 'labels'); measure its weights file again" in line


def test_card(weights: Path, data: Path, tmp_path: Path) -> None:
    card = tmp_path / "some-card.md"
    remedy = hints.command(f"exporter evaluate --weights {weights} --record")
    line = refused("card", "--weights", weights, "--output", card)
    assert f"evaluation: some has none; measure it with `{remedy}`" in line
    assert not card.exists()
    run("evaluate", "--weights", weights, "--data", data, "--record")
    result = run("card", "--weights", weights, "--output", card)
    assert (result.exit_code, result.stdout) == (0, f"{card}\n")
    assert card.read_text().startswith("# Model card: some\n")
    assert "(some-card/confusion.png)" in card.read_text()
