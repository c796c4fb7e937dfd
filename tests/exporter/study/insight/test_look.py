"""Looking inside, as a user asks for it; and the page in the documentation is what it found."""

import dataclasses
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from exporter import cli, network
from exporter.commands import common
from exporter.network.network import Batch
from exporter.study import markdown
from exporter.study.insight import edges, figures, findings, measure, page, verdicts
from exporter.study.insight.findings import Findings
from exporter.study.json_values import from_json
from exporter.study.palette import FILM, SAFE
from exporter.training import mnist
from harness.networks import random_batch, random_network
from harness.server_process import ROOT
from tests.documents import pages
from tests.exporter.pictures import has_colour
from tests.exporter.training_images import write_idx

DOCS = ROOT / "docs"
PNG = b"\x89PNG\r\n\x1a\n"
N_IMAGES = 900


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["look", *map(str, arguments)])


def read_findings(path: Path) -> Findings:
    return from_json(Findings, json.loads(path.read_text()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, digits: tuple[Batch, mnist.Labels]) -> Path:
    """A training set made of test images, since only what the command does is looked at."""
    folder = tmp_path_factory.mktemp("data")
    pixels = np.rint(digits[0][:N_IMAGES] * 255).astype(np.uint8).reshape(-1, 28, 28)
    write_idx(folder / "train-images-idx3-ubyte.gz", pixels)
    write_idx(folder / "train-labels-idx1-ubyte.gz", digits[1][:N_IMAGES].astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """The folder that the command wrote for a network of another shape than the shipped one."""
    folder = tmp_path_factory.mktemp("looked")
    for name, sizes, recipe in (("w", (784, 5, 4, 3, 10), "a; b"), ("v", (784, 3, 10), "b; c")):
        activations = ("relu", "tanh", "selu", "softmax")[-len(sizes) + 1 :]
        provenance = {"recipe": recipe}
        some = random_network(sizes, activations)
        network.save(folder / f"{name}.npz", some, provenance=provenance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "MIN_GROUP", 5)
        patch.setattr(measure, "N_SCRAMBLES", 10)
        patch.setattr(measure, "N_SHUFFLES", 3)
        weights = ("--weights", folder / "w.npz", "--beside", folder / "v.npz")
        options = ("--output", folder / "inside", "--palette", "film")
        result = run(*weights, "--data", data, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder / 'inside.md'}\n"
    return folder


def test_command_writes_a_page_with_its_pictures_and_numbers(looked: Path) -> None:
    text = (looked / "inside.md").read_text()
    shown = set(re.findall(r"\(inside/([\w.-]+)\)", text))
    layers = {f"layer-{number}.png" for number in (1, 2, 3)}
    pictures = {"weights.png", "edges.png", "code.png", "optimal.png", "loops.png", "beside.png"}
    assert shown == layers | pictures | {"findings.json"}
    assert {path.name for path in (looked / "inside").iterdir()} == shown
    for name in shown - {"findings.json"}:
        assert (looked / "inside" / name).read_bytes().startswith(PNG)
    assert "A network of 784-5-4-3-10 neurons" in text
    assert "Where a weight is green, ink adds to the neuron" in " ".join(text.split())
    for name in ("weights", "beside", "edges", "layer-2", "loops"):
        assert has_colour(looked / "inside" / f"{name}.png", FILM.positive), name
        assert not has_colour(looked / "inside" / f"{name}.png", SAFE.positive), name
    assert "Its training lacked: a. Its training had: c." in " ".join(text.split())
    assert max(map(len, re.findall(r"^[A-Za-z].*$", text, re.MULTILINE))) <= markdown.WIDTH


def test_numbers_are_those_of_the_images_and_the_network(
    looked: Path, digits: tuple[Batch, mnist.Labels]
) -> None:
    found = read_findings(looked / "inside" / "findings.json")
    images, labels = digits[0][600:N_IMAGES], digits[1][600:N_IMAGES]
    some = network.load(looked / "w.npz").network
    right = some.forward(images)[-1].argmax(axis=1) == labels
    assert found.n_images == 300
    assert found.accuracy == pytest.approx(np.mean(right))
    assert [sum(holes.counts) for holes in found.holes] == np.bincount(labels).tolist()
    assert [len(code.losses) for code in found.codes] == [5, 4, 3]
    assert found.loops[0].subject == "all"
    assert found.loops[0].n_with + found.loops[0].n_without == 300
    for test in found.loops[1:]:
        assert test.n_with + test.n_without == np.sum(labels == some.labels.index(test.subject))
        assert test.label_area == 0.5
    assert found.loops[0].label_area > 0.8
    assert len(found.loops) > 1


def test_findings_survive_their_file(looked: Path) -> None:
    text = (looked / "inside" / "findings.json").read_text()
    found = from_json(Findings, json.loads(text))
    assert findings.to_json(found) == text
    assert found == from_json(Findings, json.loads(findings.to_json(found)))
    assert found.beside
    assert isinstance(found.beside.edges, findings.Edges)
    assert found.beside.sizes == (784, 3, 10)


def refused(tmp_path: Path, data: Path, sizes: tuple[int, ...]) -> str:
    network.save(tmp_path / "w.npz", random_network(sizes))
    output = tmp_path / "inside"
    result = run("--weights", tmp_path / "w.npz", "--data", data, "--output", output)
    assert result.exit_code == 1
    assert not output.exists()
    return result.stderr.splitlines()[-1]


def test_networks_that_cannot_be_looked_into(tmp_path: Path, data: Path) -> None:
    assert "783 pixels each are no square image" in refused(tmp_path, data, (783, 4, 10))
    assert "wanted a hidden layer" in refused(tmp_path, data, (784, 10))
    assert "wanted float32 (N, 9)" in refused(tmp_path, data, (9, 4, 10))
    assert "labels from 0 to 9" in refused(tmp_path, data, (784, 4, 9))
    assert "images: 900, wanted at least 903" in refused(tmp_path, data, (784, 4, 301))


@pytest.mark.parametrize("sizes", [(1, 2, 3), (16, 1, 2), (4, 40, 2)])
def test_any_size_can_be_looked_into(sizes: tuple[int, ...]) -> None:
    some = random_network(sizes)
    insight = measure.look(some, random_batch(60, sizes[0]), np.arange(60) % sizes[-1])
    drawn = figures.draw_all(some, insight)
    assert all(content.startswith(PNG) for content in drawn.values())
    assert len(insight.findings.edges.chance) == sizes[1]
    assert "A network of" in page.render(insight.findings, "x")


def test_help() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "Look inside a network." in result.stdout


def documented() -> Findings:
    return read_findings(DOCS / "looking-inside" / "findings.json")


def test_documented_page_is_what_was_found() -> None:
    assert page.render(documented(), "looking-inside") == (DOCS / "looking-inside.md").read_text()


def test_documented_pictures_are_there_and_small() -> None:
    shown = re.findall(r"\((looking-inside/[\w.-]+)\)", (DOCS / "looking-inside.md").read_text())
    assert {DOCS / name for name in shown} == set((DOCS / "looking-inside").iterdir())
    assert max((DOCS / name).stat().st_size for name in shown) < 150_000


def test_documented_findings_are_of_the_network_that_ships() -> None:
    shipped = network.load(common.WEIGHTS)
    found = documented()
    assert found.sizes == shipped.network.sizes
    assert found.accuracy == pytest.approx(shipped.provenance["validation_accuracy"], abs=1e-4)
    matches = edges.best_matches(shipped.network.layers[0].weights)
    assert list(found.edges.matches) == pytest.approx(matches.correlations, abs=1e-3)


def test_verdicts_follow_the_numbers() -> None:
    found = documented()
    chance = found.edges.chance
    for share, verdict in ((1.0, "Yes"), (0.75, "Mostly"), (0.5, "About half"), (0.0, "No")):
        n_clear = round(share * len(chance))
        matches = tuple(
            level + (0.2 if index < n_clear else 0.05) for index, level in enumerate(chance)
        )
        changed = dataclasses.replace(found.edges, matches=matches)
        assert verdicts.sees_edges(changed) == verdict
        assert changed.n_above == len(chance)
    for area, verdict in ((0.95, "Yes"), (0.85, "Partly"), (0.75, "No")):
        tests = tuple(
            dataclasses.replace(test, neuron_areas=(0.6, area)) for test in found.loops[1:]
        )
        perfect = dataclasses.replace(found.loops[0], neuron_areas=(1.0, 1.0))
        changed_loops = dataclasses.replace(found, loops=(perfect, *tests))
        assert verdicts.sees_loops(changed_loops) == verdict, "all images together prove nothing"
    assert verdicts.sees_loops(dataclasses.replace(found, loops=())) == "Undecided"
    for classes, verdict in ((1, "Yes"), (5, "No")):
        codes = tuple(
            dataclasses.replace(code, classes=(classes,) * len(code.classes))
            for code in found.codes
        )
        assert verdicts.stands_for_one(dataclasses.replace(found, codes=codes)) == verdict
    for correlation, verdict in ((0.8, "Yes"), (0.4, "No")):
        smooth = tuple(
            dataclasses.replace(each, correlation=correlation) for each in found.preferred.smooth
        )
        preferred = dataclasses.replace(found.preferred, smooth=smooth)
        assert verdicts.prefers_digits(dataclasses.replace(found, preferred=preferred)) == verdict


def test_commands_of_the_documented_page() -> None:
    """That they are accepted, and train what the page compares with: it would take minutes."""
    lines = pages.block("docs/looking-inside.md", "exporter look").text.splitlines()
    given = {}
    for line in lines:
        python, _, module, name, *options = shlex.split(line)
        assert (python, module) == (".venv/bin/python", "exporter")
        command = cli.main.commands[name]
        given[name] = command.make_context(name, options).params
    assert list(given) == ["fetch", "train", "look"]
    beside = documented().beside
    assert beside
    assert given["train"].pop("augment") is False
    assert "augmentation" not in beside.recipe
    defaults = cli.main.commands["train"].make_context("train", []).params
    changed = {name: value for name, value in given["train"].items() if value != defaults[name]}
    assert list(changed) == ["output"]
    assert changed["output"] == given["look"]["beside"]
    assert ROOT / given["look"]["output"] == DOCS / "looking-inside"


def test_sentences_follow_the_numbers_too() -> None:
    found = documented()
    assert "Nor has it learned" in page.render(found, "x")
    preferred = dataclasses.replace(
        found.preferred, bright_noise=0.01, highest_real_z=(99.0,) * found.sizes[-1]
    )
    text = " ".join(page.render(dataclasses.replace(found, preferred=preferred), "x").split())
    assert (
        "0 of 10 outputs are activated more by such an image than by every real one. Of 2,000"
        in text
    )


def test_outputs_that_are_no_probabilities_are_not_compared_with_a_half() -> None:
    found = documented()
    preferred = dataclasses.replace(found.preferred, bright_noise=None)
    text = page.render(dataclasses.replace(found, preferred=preferred), "x")
    assert "an output above 0.5" not in " ".join(text.split())
    assert "Most images of uniform noise are labelled 8." in " ".join(text.split())
    changed = dataclasses.replace(found, preferred=preferred)
    assert from_json(Findings, json.loads(findings.to_json(changed))) == changed


def test_a_page_without_loops_or_another_network() -> None:
    bare = dataclasses.replace(documented(), loops=(), beside=None)
    text = page.render(bare, "x")
    assert "No class, nor all images together" in text
    assert "beside.png" not in text
