"""The drawing of a network shows its image, every neuron and the answer."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from exporter import cli, network
from exporter.commands import common
from exporter.network.network import Batch, Layer, Network
from exporter.study import network_svg

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg: str, name: str) -> list[ET.Element]:
    return ET.fromstring(svg).findall(f"{SVG}{name}")


def small_network(n_inputs: int, n_hidden: int) -> Network:
    hidden = Layer(np.eye(n_hidden, n_inputs, dtype=np.float32), np.zeros(n_hidden, "f4"), "relu")
    weights = np.zeros((2, n_hidden), np.float32)
    weights[0, 0], weights[1, 0] = 2, -1
    return Network((hidden, Layer(weights, np.zeros(2, "f4"), "sigmoid")), ("a<b", "c"))


def test_lines_are_as_strong_as_what_they_carry() -> None:
    image = np.array([1, 0, 0.5, 0], np.float32)
    svg = network_svg.draw_network(small_network(4, 3), image)
    lines = [(line.get("stroke"), line.get("stroke-opacity")) for line in parts(svg, "line")]
    assert lines == [("#3fb950", "1.00"), ("#f85149", "0.50")]
    circles = [circle.get("fill-opacity") for circle in parts(svg, "circle")]
    assert circles == ["1.00", "0.00", "0.50", "0.88", "0.27"]
    pixels = [part for part in parts(svg, "rect") if part.get("fill") == "#fff"]
    assert [pixel.get("fill-opacity") for pixel in pixels] == ["1.00", "0.50"]
    texts = ["".join(text.itertext()) for text in parts(svg, "text")]
    assert texts == ["a<b 0.88", "c 0.27"]
    assert [text.get("font-weight") for text in parts(svg, "text")] == ["bold", None]


@pytest.mark.parametrize(("n_inputs", "n_hidden"), [(1, 1), (5, 2), (9, 100)])
def test_any_size_can_be_drawn(n_inputs: int, n_hidden: int) -> None:
    svg = network_svg.draw_network(small_network(n_inputs, n_hidden), np.ones(n_inputs, np.float32))
    assert len(parts(svg, "circle")) == min(n_hidden, network_svg.MAX_NEURONS) + 2


def test_command_draws_an_example_of_the_shipped_network(tmp_path: Path) -> None:
    output = tmp_path / "network.svg"
    ended = CliRunner().invoke(cli.main, ["draw", "--example", "3", "--output", str(output)])
    assert (ended.exit_code, ended.output) == (0, f"{output}\n")
    saved = network.load(common.WEIGHTS)
    examples: Batch | None = saved.examples
    assert examples is not None
    assert output.read_text() == network_svg.draw_network(saved.network, examples[3])
    assert len(parts(output.read_text(), "circle")) == 16 + 16 + 10


def test_example_that_is_not_there() -> None:
    ended = CliRunner().invoke(cli.main, ["draw", "--example", "99"])
    assert ended.exit_code == 2
    assert "has 8 examples" in ended.output
