"""Recipes are trained as the exporter trains, and their figures add up."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks import recipes
from benchmarks.recipes import Run
from exporter import network
from exporter.commands.common import WEIGHTS
from exporter.network.network import Batch, Layer, Network
from exporter.training.mnist import Labels
from exporter.training.options import TrainingOptions
from harness.server_process import ROOT

SMALL = TrainingOptions(
    hidden_sizes=(8,), augment=False, epochs=2, batch_size=64, n_validation=2000
)
RUN = Run("default", 3, 0.98, 0.97, 0.01, 0.02, 100.0, ships=True)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder whose training images are test images too, since none others are here."""
    folder = tmp_path / "data"
    folder.mkdir()
    for path in (ROOT / "tests" / "data").glob("t10k-*.gz"):
        shutil.copy(path, folder)
        shutil.copy(path, folder / path.name.replace("t10k", "train"))
    return folder


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(recipes.main, [str(part) for part in arguments])


def test_every_recipe_is_trained_with_every_seed_as_the_exporter_does(
    tmp_path: Path, data: Path, digits: tuple[Batch, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"some": SMALL, "other": replace(SMALL, activation="relu")}
    monkeypatch.setattr(recipes, "RECIPES", small | {"default": SMALL})
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    file = tmp_path / "figures.json"
    result = invoke("--seeds", "1,3", "--processes", "2", "--data", data, "--json", file)
    assert result.exit_code == 0, result.output
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    figures = json.loads(file.read_text())
    runs = [Run(**one) for one in figures["runs"]]
    wanted = [(name, seed) for name in ("some", "other", "default") for seed in (1, 3)]
    assert [(one.recipe, one.seed) for one in runs] == wanted
    assert not any(one.ships for one in runs)
    assert all(one.seconds > 0 for one in runs)
    assert [one["recipe"] for one in figures["recipes"]] == ["some", "other", "default"]
    assert re.search(r"^other +2 +[0-9.]+ ± ", result.stdout, re.MULTILINE)
    assert "default, seed 3: not the weights that ship" in result.stdout

    output = tmp_path / "trained.npz"
    size = ("--hidden-sizes", "8", "--epochs", "2", "--batch-size", "64", "--validation", "2000")
    chosen = ("--no-augment", "--activation", "relu", "--seed", "3")
    files = ("--data", str(data), "--output", str(output))
    command = [sys.executable, "-m", "exporter", "train", *files, *size, *chosen]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    saved, one = network.load(output), runs[3]
    outputs = saved.network.forward(digits[0])[-1]
    assert one.validation_accuracy == saved.provenance["validation_accuracy"]
    assert one.test_accuracy == np.mean(outputs.argmax(axis=1) == digits[1])
    assert one.without_bright_output == pytest.approx(np.mean(outputs.max(axis=1) <= 0.5), abs=1e-4)


def test_summaries_are_means_and_standard_deviations() -> None:
    better = replace(RUN, seed=4, validation_accuracy=0.96, test_accuracy=0.99, seconds=50.0)
    other = replace(RUN, recipe="relu", test_accuracy=0.5)
    both, single = recipes.summarise([RUN, other, better])
    assert (both.recipe, both.runs, single.recipe, single.runs) == ("default", 2, "relu", 1)
    assert both.validation_accuracy == pytest.approx(0.97)
    assert both.test_accuracy == pytest.approx(0.98)
    # Of two values: their distance divided by the square root of 2.
    assert both.test_deviation == pytest.approx(0.02 / 2**0.5)
    assert both.seconds == 75
    assert (single.test_accuracy, single.test_deviation) == (0.5, None)
    assert recipes.spread(both.test_accuracy, both.test_deviation) == "98.00 ± 1.41"
    assert recipes.spread(single.test_accuracy, single.test_deviation) == "50.00"


def test_the_shipped_network_is_recognised_bit_for_bit() -> None:
    shipped = network.load(WEIGHTS).network
    first, *others = shipped.layers
    weights = first.weights.copy()
    weights[0, 0] = np.nextafter(weights[0, 0], np.float32(np.inf))
    almost = Network((Layer(weights, first.biases, first.activation), *others), shipped.labels)
    relu = Network((replace(first, activation="relu"), *others), shipped.labels)
    assert recipes.is_same(network.load(WEIGHTS).network, shipped)
    assert not recipes.is_same(almost, shipped)
    assert not recipes.is_same(relu, shipped)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (RUN, "default, seed 3: exactly the weights that ship"),
        (replace(RUN, ships=False), "default, seed 3: not the weights that ship: the defaults"),
        (replace(RUN, seed=1), "None"),
        (replace(RUN, recipe="relu"), "None"),
    ],
)
def test_only_the_shipped_seed_is_compared(run: Run, said: str) -> None:
    assert str(recipes.compare_with_shipped([replace(RUN, seed=2), run])).startswith(said)


def test_recipes_differ_and_the_default_is_the_exporters() -> None:
    assert recipes.RECIPES["default"] == TrainingOptions()
    assert len(set(recipes.RECIPES.values())) == len(recipes.RECIPES)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--seeds", "1,many"), 2, "'1,many', wanted numbers such as 1,2,3"),
        (("--seeds", ""), 2, "'', wanted numbers such as 1,2,3"),
        (("--seeds", "-1"), 1, "Error: seed: -1, wanted 0 or more"),
        (("--recipe", "guess"), 2, "'guess' is not one of 'default'"),
        (("--data", "nowhere"), 1, "download MNIST with `python -m exporter fetch`"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], code: int, message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == code
    assert message in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_the_page_tells_every_recipe_and_where_each_step_is() -> None:
    page = (ROOT / "docs" / "training.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE) == list(recipes.RECIPES)
    steps = re.findall(r"`(\w+)` in \[(\w+\.py)\]\(\.\./(exporter/\w+\.py)\)", page)
    assert len(steps) >= 12
    for function, shown, path in steps:
        assert Path(path).name == shown
        assert f"\ndef {function}(" in (ROOT / path).read_text()
