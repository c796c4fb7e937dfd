"""The handmade network is what its rules say, as good as its page says, and can be served."""

import json
import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from exporter import cli, network
from exporter.commands import common
from exporter.commands.handmade import SHOWN
from exporter.network.network import Batch
from exporter.study import drawing, handmade, handmade_page
from exporter.study.handmade import DIGITS, PATTERNS, STROKES, Stroke
from exporter.study.palette import FILM, SAFE
from exporter.training.mnist import Labels
from harness.server_process import ROOT
from tests.documents import clone, pages
from tests.exporter.pictures import has_colour

PAGE = ROOT / "docs" / "handmade.md"
AGAIN = "run `.venv/bin/python -m exporter handmade --page docs/handmade.md --data tests/data`"
NETWORK = handmade.build()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["handmade", *map(str, arguments)])


def shipped() -> network.Saved:
    return network.load(common.WEIGHTS)


def test_it_has_the_shape_of_the_network_that_ships() -> None:
    assert NETWORK.sizes == shipped().network.sizes == (784, 16, 16, 10)
    assert [layer.activation for layer in NETWORK.layers] == ["sigmoid"] * 3
    assert NETWORK.labels == shipped().network.labels


def test_a_bar_lies_where_its_stroke_says() -> None:
    lying = handmade.draw_bar(Stroke("", 10, 5, 4, 0, 2, 0.5, ""))
    # Four by two pixels around a pixel's middle: half of the pixels at both ends.
    np.testing.assert_allclose(8 * lying[4:7, 8], [0.25, 0.5, 0.25], atol=1e-6)
    np.testing.assert_allclose(8 * lying[5, 7:14], [0, 0.5, 1, 1, 1, 0.5, 0], atol=1e-6)
    standing = handmade.draw_bar(Stroke("", 10, 5, 4, 90, 2, 0.5, ""))
    np.testing.assert_allclose(standing[5 - 3 : 5 + 4, 10], lying[5, 7:14], atol=1e-6)
    rising = handmade.draw_bar(Stroke("", 10, 5, 6, 45, 1, 0.5, ""))
    assert rising[3, 12] > 0
    assert rising[7, 8] > 0
    assert rising[3, 8] == rising[7, 12] == 0


@pytest.mark.parametrize("index", range(16))
def test_a_stroke_fires_from_its_share_of_ink_on(index: int) -> None:
    stroke = STROKES[index]
    bar = handmade.draw_bar(stroke)
    assert bar.sum() == pytest.approx(1, abs=1e-5)
    for ink, activation in ((stroke.share, 0.5), (stroke.share + 0.1, 0.77)):
        image = np.where(bar > 0, np.float32(ink), np.float32(0)).reshape(1, -1)
        found = NETWORK.forward(image)[0][0, index]
        assert found == pytest.approx(activation, abs=0.002)


def test_each_rule_has_few_small_numbers_and_a_reason() -> None:
    rules = [(each.strokes, each.threshold) for each in PATTERNS]
    rules += [(each.patterns, each.threshold) for each in DIGITS]
    for weights, threshold in rules:
        assert set(weights.values()) <= {-3, -2, -1, 1, 2, 3}
        assert 2 <= len(weights) <= 10
        assert 4 * threshold == int(4 * threshold)
    for each in (*STROKES, *PATTERNS, *DIGITS):
        assert re.fullmatch(r"[A-Z].{20,}\.", each.why), each


def test_nothing_is_named_twice_or_never_used() -> None:
    for parts, users in (
        (STROKES, [each.strokes for each in PATTERNS]),
        (PATTERNS, [each.patterns for each in DIGITS]),
    ):
        names = [part.name for part in parts]
        assert len(set(names)) == len(names) == 16
        assert set(chain.from_iterable(users)) == set(names)


def test_weights_are_the_rules_times_the_gain() -> None:
    strokes = [stroke.name for stroke in STROKES]
    ring = next(index for index, each in enumerate(PATTERNS) if each.name == "ring")
    layer = NETWORK.layers[1]
    found = dict(zip(strokes, layer.weights[ring] / handmade.PATTERN_GAIN, strict=True))
    assert {name: weight for name, weight in found.items() if weight} == PATTERNS[ring].strokes
    assert layer.biases[ring] == -handmade.PATTERN_GAIN * PATTERNS[ring].threshold


def test_each_digit_is_above_its_threshold_and_the_others_are_not(
    digits: tuple[Batch, Labels],
) -> None:
    images, labels = digits
    patterns, layer = NETWORK.forward(images)[1], NETWORK.layers[2]
    z = patterns @ layer.weights.T + layer.biases
    means = np.array([z[labels == label].mean(axis=0) for label in range(10)])
    np.testing.assert_array_equal(means > 0, np.eye(10, dtype=bool))


def test_it_is_as_good_as_its_page_says(digits: tuple[Batch, Labels]) -> None:
    images, labels = digits
    right = np.mean(NETWORK.forward(images)[-1].argmax(axis=1) == labels)
    (told,) = re.findall(r"It gets \*\*([0-9.]+)%\*\*", PAGE.read_text())
    assert right >= float(told) / 100 - 1e-9
    assert right > 0.74


def test_page_and_its_pictures_are_current(digits: tuple[Batch, Labels]) -> None:
    saved = shipped()
    assert PAGE.read_text() == handmade_page.write("handmade", saved.network, *digits), AGAIN
    assert saved.examples is not None
    at_work = drawing.draw_network(
        handmade.build(),
        saved.examples[SHOWN],
        layout=saved.image_layout,
        names=handmade.NEURON_NAMES,
    )
    assert (PAGE.parent / "handmade" / "at-work.svg").read_text() == at_work, AGAIN
    for picture in ("strokes.png", "patterns.png"):
        with Image.open(PAGE.parent / "handmade" / picture) as drawn:
            assert drawn.info["Description"] == handmade_page.fingerprint(), AGAIN


def test_page_shows_it_getting_a_digit_right() -> None:
    saved = shipped()
    assert saved.examples is not None
    example = saved.examples[[SHOWN]]
    assert NETWORK.forward(example)[-1].argmax() == saved.network.forward(example)[-1].argmax() == 3


def test_command_writes_the_network_and_its_page(tmp_path: Path) -> None:
    weights, page = tmp_path / "new" / "handmade.npz", tmp_path / "by-hand.md"
    options = ("--output", weights, "--page", page, "--data", ROOT / "tests" / "data")
    result = run(*options, "--palette", "film")
    assert (result.exit_code, result.stdout) == (0, f"{weights}\n{page}\n"), result.output
    assert result.stderr.endswith(f"export --weights {weights} --name handmade\n")
    saved = network.load(weights)
    for found, built in zip(saved.network.layers, NETWORK.layers, strict=True):
        np.testing.assert_array_equal(found.weights, built.weights)
        np.testing.assert_array_equal(found.biases, built.biases)
    assert saved.provenance == handmade.PROVENANCE
    assert saved.neuron_names == tuple(map(tuple, handmade.NEURON_NAMES))
    np.testing.assert_array_equal(saved.examples, shipped().examples)
    pictures = re.findall(r"\]\((by-hand/.+?)\)", page.read_text())
    assert sorted(pictures) == [
        f"by-hand/{each}" for each in ("at-work.svg", "patterns.png", "strokes.png")
    ]
    assert all((tmp_path / picture).stat().st_size < 150_000 for picture in pictures)
    # Words and pictures have the film's colours, and none of the others.
    said = page.read_text() + (tmp_path / "by-hand" / "at-work.svg").read_text()
    assert f"image: {FILM.positive_name} where ink speaks for it" in " ".join(said.split())
    assert {FILM.positive, FILM.negative} <= set(re.findall(r"#\w{6}", said))
    assert not {SAFE.positive, SAFE.negative} & set(re.findall(r"#\w{6}", said))
    assert SAFE.positive_name not in said
    for colour in (FILM.positive, FILM.negative):
        assert has_colour(tmp_path / "by-hand" / "patterns.png", colour)


def test_command_needs_images_for_the_page_alone(tmp_path: Path) -> None:
    output = ("--output", tmp_path / "handmade.npz", "--data", tmp_path)
    assert run(*output).exit_code == 0
    result = run(*output, "--page", tmp_path / "page.md")
    assert result.exit_code == 1
    assert f"Error: {tmp_path} has no t10k-images-idx3-ubyte.gz" in result.stderr
    assert not (tmp_path / "page.md").exists()


def test_commands_of_the_page(tmp_path: Path) -> None:
    with clone.clone(tmp_path) as reader:
        with reader.serve(pages.block("docs/handmade.md", "exporter handmade").text):
            predict = ".venv/bin/mlpserve predict examples/digits --format json"
            answers = [json.loads(line) for line in reader.sh(predict).splitlines()]
        drawn = (tmp_path / "handmade.svg").read_text()
        assert drawn == (PAGE.parent / "handmade" / "at-work.svg").read_text()
    shown = [np.asarray(Image.open(ROOT / "examples" / "digits" / f"{n}.png")) for n in range(10)]
    images = np.stack(shown).reshape(10, -1).astype(np.float32) / np.float32(255)
    expected = NETWORK.forward(images)[-1]
    assert [answer["label"] for answer in answers] == expected.argmax(axis=1).tolist()
    found = [list(answer["activations"].values()) for answer in answers]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
