"""Which inputs, layers and neurons are drawn, what they are called, and where they are."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from exporter.export.image_layout import may_be_images
from exporter.network.network import Network
from exporter.network.weights_file import NeuronNames
from exporter.study.drawing import captions
from exporter.study.drawing.captions import Caption
from exporter.study.drawing.flow import Flow, Numbers
from modelfile.image_layout import ImageLayout
from modelfile.input_range import PIXELS

Point = tuple[float, float]

MARGIN, TOP, HEIGHT, MIN_WIDTH = 24.0, 68.0, 432.0, 960.0
"""Around all, above the columns, of the columns, and of all."""

IMAGE_SIDE, MAX_CELL = 300.0, 40.0
"""Of an image and of one of its pixels, at most."""

GAP, MAX_PITCH, MAX_RADIUS = 190.0, 54.0, 14.0
"""Between two columns at least, and between two neurons at most."""

MAX_NEURONS = 24
"""Neurons drawn of one layer, its most active ones; inputs that are no image are one column."""

MAX_LAYERS = 8
"""Of a network of more layers half as many are drawn at each end."""

MAX_LETTERS = 24
SMALL, MEDIUM, LARGE = 11.0, 13.0, 15.0
"""Sizes of letters."""

BOLD = 1.1
"""How much wider bold letters are."""

BOUNDED = ("sigmoid", "softmax", "tanh")


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """What is drawn of the input (`layer` is -1) or of a layer.

    `indices` are those of the neurons that are drawn, of `n_all`, `values` what they hold, `places`
    their middles, `size` a circle's radius or the side of a pixel, and `scale` what is white.
    `names` are written beside the neurons, if there are any. `left` and `right` are where it ends.
    """

    layer: int
    n_all: int
    indices: tuple[int, ...]
    values: Numbers
    names: tuple[str, ...]
    places: list[Point]
    size: float
    scale: float
    left: float
    right: float
    caption: Caption

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is left out."""
        return len(self.indices) == self.n_all


def lay_out(
    network: Network, flows: Sequence[Flow], layout: ImageLayout | None, names: NeuronNames
) -> tuple[list[Column], float]:
    """Return the columns, and the width of all.

    Gaps have room for names and captions; small networks are drawn as wide as others.
    """
    first = _input(network, flows[0].inputs, layout)
    last = len(flows) - 1
    drawn = drawn_layers(len(flows))
    shown = {layer: _choose(flows[layer].activations, layer == last) for layer in drawn}
    known = dict(enumerate(names)) | {last: network.labels}
    named = {
        layer: tuple(_shorten(known[layer][index]) for index in indices) if known.get(layer) else ()
        for layer, indices in shown.items()
    }
    scales = {layer: _scale(flows[layer]) for layer in drawn}
    heads = [captions.of_layer(network, layer, len(shown[layer]), scales[layer]) for layer in drawn]
    beside = [0.0, *(_widest(named[layer], SMALL) for layer in drawn[:-1])]
    halves = [0.0, *(caption_width(head) / 2 for head in heads)]
    gaps = [
        max(GAP + width, before + after + MARGIN)
        for width, (before, after) in zip(beside, pairwise(halves), strict=True)
    ]
    room = max(_widest(named[last], LARGE) + 80, halves[-1])
    spare = max(0.0, MIN_WIDTH - MARGIN - first.right - sum(gaps) - room)
    columns, x = [first], first.right
    for layer, gap, head in zip(drawn, gaps, heads, strict=True):
        x += gap + spare / len(gaps)
        drawing = (shown[layer], named[layer], scales[layer], head)
        columns.append(_layer(layer, flows[layer], *drawing, x))
    return columns, x + room + MARGIN


def drawn_layers(n_layers: int) -> list[int]:
    """Return which layers are drawn."""
    if n_layers <= MAX_LAYERS:
        return list(range(n_layers))
    half = MAX_LAYERS // 2
    return [*range(half), *range(n_layers - half, n_layers)]


def input_shape(network: Network, layout: ImageLayout | None) -> tuple[int, int]:
    """Return the rows and columns that inputs are drawn in: those of the image, if it is one.

    A few inputs that are no pixels are one column, many are broken into rows.
    """
    n_inputs = network.n_inputs
    side = math.isqrt(n_inputs)
    if layout:
        return layout.rows, layout.columns
    is_square = network.input_range == PIXELS and side**2 == n_inputs
    if is_square or may_be_images(n_inputs, network.input_range):
        return side, side
    if n_inputs <= MAX_NEURONS:
        return n_inputs, 1
    n_columns = math.ceil(math.sqrt(n_inputs))
    return math.ceil(n_inputs / n_columns), n_columns


def letters_width(text: str, size: float) -> float:
    """Return about how wide a text is, in letters of a size."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (0.56 * (len(text) - wide) + wide)


def caption_width(caption: Caption) -> float:
    """Return about how wide a caption is."""
    head, note = caption
    return max(letters_width(head, LARGE) * BOLD, letters_width(note, MEDIUM))


def _widest(texts: Sequence[str], size: float) -> float:
    return max((letters_width(text, size) for text in texts), default=0.0)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_LETTERS else f"{text[: MAX_LETTERS - 1]}…"


def _choose(activations: Numbers, is_output: bool) -> tuple[int, ...]:
    """Return the neurons that are drawn: the most active, or the brightest outputs."""
    ranks = activations if is_output else np.abs(activations)
    return tuple(sorted(np.argsort(-ranks, kind="stable")[:MAX_NEURONS].tolist()))


def _input(network: Network, values: Numbers, layout: ImageLayout | None) -> Column:
    rows, columns = input_shape(network, layout)
    cell = min(IMAGE_SIDE / columns, (IMAGE_SIDE if columns > 1 else HEIGHT) / rows, MAX_CELL)
    scale = 1.0 if network.input_range == PIXELS else max(1.0, float(np.abs(values).max()))
    caption = captions.of_inputs(network, (rows, columns), scale)
    left = MARGIN + max(0.0, (caption_width(caption) - cell * columns) / 2)
    top = TOP + (HEIGHT - cell * rows) / 2
    places = [
        (left + (index % columns + 0.5) * cell, top + (index // columns + 0.5) * cell)
        for index in range(values.size)
    ]
    numbers = (f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in values)
    names = tuple(numbers) if columns == 1 else ()
    ends, indices = (left, left + cell * columns), tuple(range(values.size))
    return Column(-1, values.size, indices, values, names, places, cell, scale, *ends, caption)


def _scale(flow: Flow) -> float:
    """Return the activation that is white: 1 where none can be larger."""
    is_bounded = flow.layer.activation in BOUNDED
    return 1.0 if is_bounded else float(np.abs(flow.activations).max()) or 1.0


def _layer(
    layer: int,
    flow: Flow,
    indices: tuple[int, ...],
    names: tuple[str, ...],
    scale: float,
    caption: Caption,
    x: float,
) -> Column:
    values = flow.activations
    pitch = min(HEIGHT / len(indices), MAX_PITCH)
    radius = min(MAX_RADIUS, 0.38 * pitch)
    top = TOP + (HEIGHT - pitch * len(indices)) / 2
    places = [(x, top + pitch * (row + 0.5)) for row in range(len(indices))]
    shown, ends = values[list(indices)], (x - radius, x + radius)
    return Column(layer, values.size, indices, shown, names, places, radius, scale, *ends, caption)
