"""What a drawing says: captions above and below, and a legend for those who see one first."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

from exporter.network.network import Network
from exporter.study.drawing import marks
from exporter.study.drawing.columns import HEIGHT, LARGE, MARGIN, MEDIUM, SMALL, TOP, Column
from exporter.study.drawing.flow import LEVELS, Flow, Lines
from exporter.study.palette import BACKGROUND, FAINT, Palette

LEGEND = TOP + HEIGHT + 76
LINE_HEIGHT = 19
TEXT_TOP = LEGEND + 32

HALO = f' stroke="{BACKGROUND}" stroke-width="3" paint-order="stroke"'
"""Keeps names readable above lines."""

EXPLANATION = (
    "A line carries the activation where it starts times its weight. The more it carries, the "
    "stronger it is drawn, relative to the strongest line of its layer. A neuron adds up its lines "
    "and a bias of its own (not drawn); its activation function ({activations}) turns the sum into "
    "its activation."
)


def explain(network: Network, width: float) -> list[str]:
    """Return the lines of text below the legend."""
    *others, last = dict.fromkeys(layer.activation for layer in network.layers)
    activations = f"{', '.join(others)} or {last}" if others else last
    n_letters = int((width - 2 * MARGIN) / (0.56 * MEDIUM))
    filled = EXPLANATION.format(activations=activations)
    return textwrap.wrap(filled, n_letters)


def title(network: Network, flows: Sequence[Flow]) -> str:
    """Return what the drawing shows, for those who can't see it."""
    brightest = network.labels[int(flows[-1].activations.argmax())]
    sizes = "-".join(map(str, network.sizes))
    return f"A network of {sizes} neurons at work: its answer is {brightest}"


def explanation(line: str, row: int) -> str:
    """Return a line of the text below the legend."""
    return marks.text(MARGIN, TEXT_TOP + LINE_HEIGHT * row, line, size=MEDIUM, colour=FAINT)


def neuron_title(column: Column, place: int, index: int, flow: Flow) -> str:
    """Return what a neuron does, for those who point at it."""
    name = f", {column.names[place]}" if column.names else ""
    total, bias = float(flow.sums[index]), float(flow.layer.biases[index])
    before, added, both = (marks.decimal(each, "+") for each in (total, bias, total + bias))
    activation = marks.decimal(float(flow.activations[index]))
    return (
        f"neuron {index + 1}{name}: lines {before}, bias {added}; {flow.layer.activation} of "
        f"{both} is {activation}"
    )


def captions(columns: Sequence[Column]) -> Iterator[str]:
    """Write what each column is above it."""
    for column in columns:
        x, (head, note) = (column.left + column.right) / 2, column.caption
        bold = ' font-weight="bold"'
        yield marks.text(x, TOP - 38, head, size=LARGE, anchor="middle", extra=bold)
        yield marks.text(x, TOP - 18, note, size=MEDIUM, colour=FAINT, anchor="middle")


def line_captions(columns: Sequence[Column], drawn: Sequence[Lines | None]) -> Iterator[str]:
    """Write below each gap how many of its lines are drawn."""
    for (start, end), found in zip(pairwise(columns), drawn, strict=True):
        x = (start.right + end.left) / 2
        if found is None:
            n_layers = end.layer - start.layer - 1
            words = (f"{n_layers} more layers", "are not drawn")
            yield marks.text(x, TOP + HEIGHT / 2, "· · ·", size=2 * LARGE, anchor="middle")
        else:
            n_drawn = len(found.levels)
            words = (f"the strongest {n_drawn}", f"of {found.n_all:,} lines")
            if n_drawn == found.n_all:
                words = (f"all {n_drawn} lines" if n_drawn > 1 else "one line", "")
            elif not (start.is_whole and end.is_whole):
                words = (f"{n_drawn} of {found.n_all:,} lines,", "the strongest between these")
        for row, line in enumerate(words):
            y = TOP + HEIGHT + 22 + 17 * row
            yield marks.text(x, y, line, size=MEDIUM, colour=FAINT, anchor="middle")


def names(column: Column, network: Network) -> Iterator[str]:
    """Write what neurons are called, and of outputs what they hold; the answer in bold."""
    is_output = column.layer == len(network.layers) - 1
    answer = int(column.values.argmax())
    for row, (name, (x, y), value) in enumerate(
        zip(column.names, column.places, column.values, strict=False)
    ):
        if column.layer < 0:
            x = column.left - 6
            yield marks.text(x, y + 4, name, size=SMALL, colour=FAINT, anchor="end")
        elif not is_output:
            yield marks.text(x + column.size + 5, y + 4, name, size=SMALL, extra=HALO)
        else:
            bold = ' font-weight="bold"' if row == answer else ""
            held = marks.decimal(value)
            size = min(LARGE, 2.2 * column.size)
            yield marks.text(x + column.size + 8, y + 5, name, size=size, extra=bold, note=held)


def legend(palette: Palette, columns: Sequence[Column]) -> Iterator[str]:
    """Explain lines and circles by examples."""
    x = MARGIN
    for sign, words in ((1, "adds to the neuron"), (-1, "takes away from it")):
        for step, level in enumerate((3, LEVELS * 2 // 3, LEVELS)):
            start = x + 36 * step
            style = marks.line_style(sign * level, palette)
            yield f'<path d="M{start:.0f} {LEGEND}h34" {style}/>'
        yield marks.text(x + 116, LEGEND + 5, words, size=MEDIUM)
        x += 270
    for step in range(4):
        yield marks.neuron(x + 8 + 20 * step, LEGEND, 8, step / 3, palette)
    is_unit = all(column.scale == 1 for column in columns)
    activations = "activation from 0 to 1" if is_unit else "activation: 0 is black"
    yield marks.text(x + 88, LEGEND + 5, activations, size=MEDIUM)
    x += 250
    if any(float(column.values.min()) < 0 for column in columns):
        for step in range(1, 3):
            yield marks.neuron(x - 12 + 20 * step, LEGEND, 8, -step / 2, palette)
        yield marks.text(x + 48, LEGEND + 5, "below 0", size=MEDIUM)
