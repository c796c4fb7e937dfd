"""Pictures of a network at work, as SVG."""

import html
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from exporter.network.network import Batch, Network
from exporter.study.figure import BACKGROUND, FAINT, GREEN, LINE, RED, TEXT, image_shape

WIDTH, HEIGHT = 960, 420
IMAGE_SIDE, MARGIN = 280, 30
MAX_NEURONS = 32
"""Neurons drawn of one layer, its first ones."""

MIN_STRENGTH = 0.04
"""Lines fainter than this are left out: nobody would see them."""

Point = tuple[float, float]


def draw_network(network: Network, image: Batch) -> str:
    """Return an SVG of the network looking at one image (n_inputs,).

    Left the image (its rows found by taking it for a square, otherwise one row), then each layer as
    circles as bright as their activations. A line is as strong as what it carries, activation times
    weight, relative to its layer's strongest: green for positive, red for negative.
    """
    outputs = [layer[0] for layer in network.forward(image.reshape(1, -1).astype(np.float32))]
    columns = [_column(index, len(outputs), len(values)) for index, values in enumerate(outputs)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="15">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="{BACKGROUND}"/>',
        *_image(image),
    ]
    gaps = zip(network.layers[1:], outputs, pairwise(columns), strict=False)
    for layer, values, (start, end) in gaps:
        parts += _lines(layer.weights * values, start, end)
    for values, points in zip(outputs, columns, strict=True):
        parts += _neurons(values, points)
    brightest = network.labels[int(outputs[-1].argmax())]
    for label, (x, y), value in zip(network.labels, columns[-1], outputs[-1], strict=False):
        weight = ' font-weight="bold"' if label == brightest else ""
        text = f"{html.escape(label)} <tspan fill='{FAINT}'>{value:.2f}</tspan>"
        parts.append(f'<text x="{x + 18:.0f}" y="{y + 5:.0f}" fill="{TEXT}"{weight}>{text}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _column(index: int, n_layers: int, n_neurons: int) -> list[Point]:
    """Return the places of a layer's neurons."""
    left, right = MARGIN + IMAGE_SIDE + 110, WIDTH - 110
    x = left + (right - left) * index / max(n_layers - 1, 1)
    shown = min(n_neurons, MAX_NEURONS)
    step = (HEIGHT - 2 * MARGIN) / shown
    return [(x, MARGIN + step * (row + 0.5)) for row in range(shown)]


def _image(image: Batch) -> Iterator[str]:
    """Draw the pixels that aren't black."""
    rows, columns = image_shape(image.size)
    size = IMAGE_SIDE / columns
    top = (HEIGHT - size * rows) / 2
    yield (
        f'<rect x="{MARGIN}" y="{top:.2f}" width="{IMAGE_SIDE}" height="{size * rows:.2f}" '
        f'fill="#000" stroke="{LINE}"/>'
    )
    for index in np.flatnonzero(image.ravel() > 0.02):
        row, column = divmod(int(index), columns)
        yield (
            f'<rect x="{MARGIN + column * size:.2f}" y="{top + row * size:.2f}" '
            f'width="{size:.2f}" height="{size:.2f}" fill="#fff" '
            f'fill-opacity="{image.ravel()[index]:.2f}"/>'
        )


def _lines(carried: Batch, start: list[Point], end: list[Point]) -> Iterator[str]:
    """Draw what each weight (n_out, n_in) carries from the neurons at `start` to those at `end`."""
    strength = carried / max(float(np.abs(carried).max()), 1e-12)
    for row, (x2, y2) in enumerate(end):
        for column, (x1, y1) in enumerate(start):
            value = float(strength[row, column])
            if abs(value) >= MIN_STRENGTH:
                colour = GREEN if value > 0 else RED
                yield (
                    f'<line x1="{x1:.0f}" y1="{y1:.1f}" x2="{x2:.0f}" y2="{y2:.1f}" '
                    f'stroke="{colour}" stroke-opacity="{abs(value):.2f}" stroke-width="1.5"/>'
                )


def _neurons(values: Batch, points: list[Point]) -> Iterator[str]:
    """Draw the neurons of a layer, the brightest white."""
    span = max(float(np.abs(values).max()), 1.0)
    for (x, y), value in zip(points, values, strict=False):
        yield (
            f'<circle cx="{x:.0f}" cy="{y:.1f}" r="9" fill="#fff" stroke="{FAINT}" '
            f'fill-opacity="{min(abs(float(value)) / span, 1.0):.2f}"/>'
        )
