"""The drawing of a network shows its image, neurons, what lines carry, the answer, and says how."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from exporter import cli, network
from exporter.commands import common
from exporter.network.network import Batch, Layer, Network
from exporter.study import handmade
from exporter.study.drawing import draw_network
from exporter.study.drawing.columns import MAX_LAYERS, MAX_NEURONS
from exporter.study.drawing.flow import MAX_LINES
from exporter.study.palette import BACKGROUND, SAFE, WHITE
from harness.networks import random_batch, random_network
from harness.server_process import ROOT
from modelfile.image_layout import ImageLayout
from modelfile.input_range import FINITE, InputRange

SVG = "{http://www.w3.org/2000/svg}"
SEGMENT = re.compile(r"M[\d.]+ [\d.]+L[\d.]+ [\d.]+")
PIXEL = re.compile(r"M(\d+) (\d+)h(\d+)v1h-\3z")


def parts(svg: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{SVG}{name}"))


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in parts(svg, "text")]


def lines(svg: str) -> list[tuple[str, bool, float, int]]:
    """Of each path of lines the colour, whether it is dashed, its opacity, and their number."""
    return [
        (
            path.get("stroke", ""),
            path.get("stroke-dasharray") is not None,
            float(path.get("stroke-opacity", "")),
            len(found),
        )
        for path in parts(svg, "path")
        if (found := SEGMENT.findall(path.get("d", "")))
    ]


def pixels(svg: str) -> dict[tuple[int, int], float]:
    """The brightness of each pixel, (row, column), that isn't black."""
    return {
        (int(row), int(column) + step): float(path.get("fill-opacity", ""))
        for path in parts(svg, "path")
        for column, row, width in PIXEL.findall(path.get("d", ""))
        for step in range(int(width))
    }


def small_network(n_inputs: int, n_hidden: int) -> Network:
    hidden = Layer(np.eye(n_hidden, n_inputs, dtype=np.float32), np.zeros(n_hidden, "f4"), "relu")
    weights = np.zeros((2, n_hidden), np.float32)
    weights[0, 0], weights[1, 0] = 2, -1
    return Network((hidden, Layer(weights, np.zeros(2, "f4"), "sigmoid")), ("a<b", "c"))


def test_lines_are_as_strong_as_what_they_carry() -> None:
    svg = draw_network(small_network(4, 3), np.array([1, 0, 0.5, 0], np.float32))
    assert lines(svg) == [
        # From the pixels: 0.5 and 1 times 1, and nothing from those that are black.
        (SAFE.positive, False, 0.55, 1),
        (SAFE.positive, False, 1.0, 1),
        # From the first neuron: times -1 and 2; the others have no weights.
        (SAFE.negative, True, 0.55, 1),
        (SAFE.positive, False, 1.0, 1),
    ]
    assert pixels(svg) == {(0, 0): 1.0, (1, 0): 0.5}


def test_captions_say_what_is_there_and_what_is_left_out() -> None:
    svg = draw_network(small_network(4, 3), np.array([1, 0, 0.5, 0], np.float32))
    said = texts(svg)
    for caption in (
        "2 x 2 pixels",
        "3 relu neurons",
        "2 sigmoid outputs",
        "the brightest is the answer",
        "the strongest 2",
        "of 12 lines",
        "of 6 lines",
        "adds to the neuron",
        "takes away from it",
        "activation from 0 to 1",
        "a<b 0.88",
        "c 0.27",
    ):
        assert caption in said
    explained = " ".join(said)
    assert "activation where it starts times its weight" in explained
    assert "a bias of its own (not drawn); its activation function (relu or sigmoid)" in explained


def test_answer_is_in_bold_and_neurons_tell_what_they_add_up() -> None:
    hidden = Layer(np.array([[2.0]], "f4"), np.array([-0.5], "f4"), "tanh")
    output = Layer(np.array([[1.0], [-3.0]], "f4"), np.zeros(2, "f4"), "identity")
    svg = draw_network(Network((hidden, output), ("yes", "no")), np.ones(1, np.float32))
    bold = {"".join(text.itertext()) for text in parts(svg, "text") if text.get("font-weight")}
    assert bold == {"1 input", "1 tanh neuron", "2 identity outputs", "yes 0.91"}
    titles = [(title.text or "").replace("\N{MINUS SIGN}", "-") for title in parts(svg, "title")]
    assert titles[0] == "A network of 1-1-2 neurons at work: its answer is yes"
    assert titles[1] == "neuron 1: lines +2.00, bias -0.50; tanh of +1.50 is 0.91"
    assert titles[3] == "neuron 2, no: lines -2.72, bias +0.00; identity of -2.72 is -2.72"


def test_neurons_are_as_bright_as_they_are_active() -> None:
    weights = np.array([[1.0], [0.0], [-1.0]], "f4")
    layer = Layer(weights, np.zeros(3, "f4"), "identity")
    svg = draw_network(Network((layer,), tuple("abc")), np.ones(1, np.float32))
    circles = parts(svg, "circle")[:3]
    assert [circle.get("fill") for circle in circles] == [WHITE, BACKGROUND, SAFE.negative]
    assert [circle.get("stroke-dasharray") for circle in circles] == [None, None, "3 2"]
    assert "below 0" in texts(svg)


@pytest.mark.parametrize(
    ("sizes", "activations"),
    [
        ((1, 1), ("sigmoid",)),
        ((5, 2), ("softmax",)),
        ((9, 100, 40), ("relu", "identity")),
        ((784, 1000, 1000, 3), ("relu", "selu", "softmax")),
        ((783, 3, 2), ("tanh", "tanh")),
        ((16, *[8] * 40), ("tanh",) * 40),
    ],
)
@pytest.mark.parametrize("input_range", [InputRange(0, 1), InputRange(-1, 1), FINITE])
def test_any_network_can_be_drawn(
    sizes: tuple[int, ...], activations: tuple[str, ...], input_range: InputRange
) -> None:
    some = replace(random_network(sizes, activations), input_range=input_range)
    image = input_range.at(random_batch(1, sizes[0])[0])
    svg = draw_network(some, image)
    drawn = [min(size, MAX_NEURONS) for size in sizes[1:]]
    half = MAX_LAYERS // 2
    shown = drawn if len(drawn) <= MAX_LAYERS else [*drawn[:half], *drawn[-half:]]
    in_legend = len(
        [circle for circle in parts(svg, "circle") if circle.find(f"{SVG}title") is None]
    )
    assert len(parts(svg, "circle")) - in_legend == sum(shown)
    assert len(svg) < 150_000
    _, _, width, height = map(float, ET.fromstring(svg).get("viewBox", "").split())
    for circle in parts(svg, "circle"):
        assert 0 < float(circle.get("cx", "")) < width
        assert 0 < float(circle.get("cy", "")) < height
    drawn_lines = sum(count for *_, count in lines(svg))
    assert 0 < drawn_lines <= MAX_LINES * len(sizes)
    said = " ".join(texts(svg))
    assert f"{sizes[1]:,} {activations[0]}" in said
    assert ("more layers" in said) == (len(sizes) - 1 > MAX_LAYERS)
    assert "nan" not in svg


def test_most_active_neurons_and_the_answer_are_drawn_of_many() -> None:
    biases = np.zeros(1000, np.float32)
    biases[[7, 990]] = -5, 4
    hidden = Layer(np.zeros((1000, 4), "f4"), biases, "identity")
    output = Layer(np.zeros((300, 1000), "f4"), np.linspace(-9, 1, 300, dtype="f4"), "identity")
    some = Network((hidden, output), tuple(f"label {number}" for number in range(300)))
    svg = draw_network(some, np.ones(4, np.float32))
    titles = "".join(title.text or "" for title in parts(svg, "title"))
    assert "neuron 8:" in titles
    assert "neuron 991:" in titles
    assert "its answer is label 299" in titles
    said = texts(svg)
    assert f"{MAX_NEURONS} of 1,000 identity neurons" in said
    assert "hidden layer 1: the most active · white is 5" in said
    assert "label 299 1.00" in said


def test_odd_names_are_text() -> None:
    labels = ('<b> & "x"', "بسم", "山" * 50, "a\u200db", "e" * 200)
    some = replace(random_network((4, 3, 5)), labels=labels)
    svg = draw_network(some, np.ones(4, np.float32), names=(("<i>", "&amp;", "naïve"), ()))
    said = texts(svg)
    assert {"<i>", "&amp;", "naïve"} <= set(said)
    assert any(text.startswith('<b> & "x" ') for text in said)
    for start in ("بسم ", "山" * 23 + "…", "a\u200db ", "e" * 23 + "…"):
        assert any(text.startswith(start) for text in said)


def test_images_that_are_not_square_have_their_rows() -> None:
    layout = ImageLayout(2, 3, "light", 0.8, "mass", (0.5, 0.5))
    image = np.array([0, 0, 1, 1, 0, 0], np.float32)
    svg = draw_network(random_network((6, 2)), image, layout=layout)
    assert pixels(svg) == {(0, 2): 1.0, (1, 0): 1.0}
    assert "2 x 3 pixels" in texts(svg)


def draw(*options: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["draw", *map(str, options)])


def test_command_draws_the_picture_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "the output neuron of 3 is the brightest](docs/network.svg)"
    readme = (ROOT / "README.md").read_text()
    assert shown in readme
    assert "`.venv/bin/python -m exporter draw` draws this picture" in readme
    monkeypatch.chdir(tmp_path)
    ended = draw()
    assert (ended.exit_code, ended.output) == (0, "network.svg\n")
    drawn = Path("network.svg").read_text()
    committed = (ROOT / "docs" / "network.svg").read_text()
    assert drawn == committed, "run `.venv/bin/python -m exporter draw --output docs/network.svg`"
    said = texts(committed)
    for caption in (
        "28 x 28 pixels",
        "16 sigmoid neurons",
        "10 sigmoid outputs",
        "of 12,544 lines",
    ):
        assert caption in said
    assert len(committed) < 40_000


def test_handmade_neurons_have_their_names(tmp_path: Path) -> None:
    weights, output = tmp_path / "h.npz", tmp_path / "h.svg"
    assert CliRunner().invoke(cli.main, ["handmade", "--output", str(weights)]).exit_code == 0
    assert draw("--weights", weights, "--output", output).exit_code == 0
    assert output.read_text() == (ROOT / "docs" / "handmade" / "at-work.svg").read_text()
    said = set(texts(output.read_text()))
    assert {name for names in handmade.NEURON_NAMES for name in names} <= said


def test_folders_of_the_output_are_made(tmp_path: Path) -> None:
    assert draw("--output", tmp_path / "new" / "folder" / "drawn.svg").exit_code == 0
    assert (tmp_path / "new" / "folder" / "drawn.svg").exists()
    ended = draw("--output", tmp_path / "new")
    assert (ended.exit_code, ended.stderr) == (1, f"Error: {tmp_path / 'new'}: Is a directory\n")


def test_examples_of_a_weights_file(tmp_path: Path) -> None:
    some, weights, output = random_network((4, 3)), tmp_path / "w.npz", tmp_path / "w.svg"
    examples: Batch = random_batch(2, 4)
    network.save(weights, some, examples=examples)
    options = ("--weights", weights, "--output", output)
    for index, chosen in ((1, ()), (0, ("--example", 0))):
        assert draw(*options, *map(str, chosen)).exit_code == 0
        assert output.read_text() == draw_network(some, examples[index])
    ended = draw(*options, "--example", "2")
    assert ended.exit_code == 2
    assert f"{weights} has 2 examples; give one from 0 to 1, or a picture with" in ended.output
    network.save(weights, some)
    assert "has 0 examples; give a picture with --image" in draw(*options).output


def test_shipped_weights_are_those_that_are_drawn() -> None:
    saved = network.load(common.WEIGHTS)
    assert saved.examples is not None
    assert saved.network.forward(saved.examples[[3]])[-1].argmax() == 3
