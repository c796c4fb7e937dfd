"""The whole drawing of a network at work."""

import html
from collections.abc import Iterator, Sequence
from itertools import pairwise

from exporter.network.network import Batch, Network
from exporter.network.weights_file import NeuronNames
from exporter.study.drawing import marks, words
from exporter.study.drawing.columns import MARGIN, Column, lay_out
from exporter.study.drawing.flow import Flow, Lines, find_lines, run
from exporter.study.palette import BACKGROUND, SAFE, Palette
from modelfile.image_layout import ImageLayout


def draw_network(
    network: Network,
    image: Batch,
    *,
    layout: ImageLayout | None = None,
    names: NeuronNames = (),
    palette: Palette = SAFE,
) -> str:
    """Return an SVG of the network looking at one image (n_inputs,).

    Left the image, of the layout's rows and columns if there is one, then each layer as circles as
    bright as their activations, each with its name if it has one. A line is as strong as what it
    carries, activation times weight, beside the strongest of its layer; what takes away is dashed.
    What is left out of large networks is said in the captions.
    """
    flows = run(network, image)
    columns, width = lay_out(network, flows, layout, names)
    gaps = [
        find_lines(flows[end.layer], start.indices, end.indices)
        if end.layer == start.layer + 1
        else None
        for start, end in pairwise(columns)
    ]
    explanations = words.explain(network, width)
    height = words.TEXT_TOP + words.LINE_HEIGHT * len(explanations) + MARGIN / 2
    size = f"{width:.0f} {height:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
        'font-family="system-ui, sans-serif">',
        f"<title>{html.escape(words.title(network, flows))}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="12" fill="{BACKGROUND}"/>',
        *_body(network, flows, columns, gaps, palette),
        *words.captions(columns),
        *words.line_captions(columns, gaps),
        *words.legend(palette, columns),
    ]
    for row, line in enumerate(explanations):
        parts.append(words.explanation(line, row))
    return "\n".join([*parts, "</svg>\n"])


def _body(
    network: Network,
    flows: Sequence[Flow],
    columns: Sequence[Column],
    gaps: Sequence[Lines | None],
    palette: Palette,
) -> Iterator[str]:
    """Draw the image, lines and neurons; the ink above the lines that start at it."""
    yield marks.frame(columns[0])
    for (start, end), found in zip(pairwise(columns), gaps, strict=True):
        if found is not None:
            yield from marks.lines(found, start, end, palette)
    yield from marks.pixels(columns[0], palette)
    for column in columns[1:]:
        flow = flows[column.layer]
        for place, index in enumerate(column.indices):
            x, y = column.places[place]
            share = float(column.values[place]) / column.scale
            title = words.neuron_title(column, place, index, flow)
            yield marks.neuron(x, y, column.size, share, palette, title)
    for column in columns:
        yield from words.names(column, network)
