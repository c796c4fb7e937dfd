"""Recipes are trained as the exporter trains, and their figures add up."""

import json
import re
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.network import weights_file
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.server_process import ROOT
from modelfile import hints
from tests.documents import pages
from tests.exporter.training_images import write_mnist


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with few training images."""
    folder = tmp_path_factory.mktemp("data")
    write_mnist(folder)
    return folder


def options_of(page: pages.Block) -> list[str]:
    """Return what a page gives the command."""
    *command, module = shlex.split(page.text, comments=True)[:3]
    assert (command, module) == ([".venv/bin/python", "-m"], "benchmarks.recipes")
    return shlex.split(page.text, comments=True)[3:]


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks.recipes", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_recipe_is_trained_with_every_seed_as_the_exporter_does(
    tmp_path: Path, data: Path, digits: tuple[Batch, Labels]
) -> None:
    file, output = tmp_path / "figures.json", tmp_path / "trained.npz"
    options = ("--seeds", "1,3", "--epochs", "2", "--processes", "2", "--data", data)
    chosen = options_of(pages.block("docs/learn.md", "benchmarks.recipes"))
    ended = run(*chosen, *options, "--json", file)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(file.read_text())
    runs = figures["runs"]
    names = [word for word in chosen if word != "--recipe"]
    assert names[-1] == "default"
    wanted = [(name, seed) for name in names for seed in (1, 3)]
    assert [(one["recipe"], one["seed"]) for one in runs] == wanted
    assert not any(one["ships"] for one in runs)
    assert "default, seed 3: not the weights that ship" in ended.stdout
    pairs = [runs[start : start + 2] for start in range(0, len(runs), 2)]
    for summary, both in zip(figures["recipes"], pairs, strict=True):
        assert (summary["recipe"], summary["runs"]) == (both[0]["recipe"], 2)
        accuracies = [one["test_accuracy"] for one in both]
        mean, deviation = statistics.fmean(accuracies), statistics.stdev(accuracies)
        assert (summary["test_accuracy"], summary["test_deviation"]) == (mean, deviation)
        assert summary["seconds"] == statistics.fmean(one["seconds"] for one in both) > 0
        assert f" {100 * mean:.2f} ± {100 * deviation:.2f} " in ended.stdout

    choices = ("--epochs", "2", "--seed", "3", "--data", data, "--output", output)
    command: list[str | Path] = [sys.executable, "-m", "exporter", "train", *choices]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    saved = weights_file.load(output)
    outputs = saved.network.forward(digits[0])[-1]
    last = runs[-1]
    assert last["validation_accuracy"] == saved.provenance["validation_accuracy"]
    assert last["test_accuracy"] == np.mean(outputs.argmax(axis=1) == digits[1])
    bright = pytest.approx(np.mean(outputs.max(axis=1) <= 0.5), abs=1e-4)
    assert last["without_bright_output"] == bright


def test_one_run_of_each_has_no_deviation_and_another_seed_is_not_compared(data: Path) -> None:
    every = options_of(pages.block("docs/training.md", "benchmarks.recipes"))
    ended = run(*every, "--seeds", "1", "--epochs", "1", "--data", data)
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^default +1 +\d", ended.stdout, re.MULTILINE)
    assert re.search(r"^plain-augmented +1 +\d", ended.stdout, re.MULTILINE)
    assert not re.search(r"± \d", ended.stdout)
    assert "ship" not in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--seeds", "1,many"), 2, "'1,many', wanted numbers such as 1,2,3"),
        (("--seeds", ""), 2, "'', wanted numbers such as 1,2,3"),
        (("--seeds", "-1"), 1, "Error: seed: -1, wanted 0 or more"),
        (("--data", "nowhere"), 1, hints.command("exporter fetch --data nowhere")),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], code: int, message: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == code
    assert message in ended.stderr.splitlines()[-1]
    assert ended.stdout == ""


def test_the_page_tells_every_recipe_and_where_each_step_is() -> None:
    ended = run("--recipe", "guess")
    assert ended.returncode == 2
    guess, *names = re.findall(r"'([a-z][\w-]*)'", ended.stderr.splitlines()[-1])
    page = (ROOT / "docs" / "training.md").read_text()
    assert guess == "guess"
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE) == names
    steps = re.findall(r"`(\w+)` in \[(\w+\.py)\]\(\.\./(exporter/[\w/]+\.py)\)", page)
    assert len(steps) >= 12
    for function, shown, path in steps:
        assert Path(path).name == shown
        assert f"\ndef {function}(" in (ROOT / path).read_text()
