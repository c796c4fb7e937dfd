"""Pictures of what is inside a network, as PNG on a dark ground."""

from typing import TYPE_CHECKING

import numpy as np

from exporter.network.network import Network
from exporter.study.figure import paint_alone, paint_ink, paint_signed, to_png
from exporter.study.insight import edges, responses
from exporter.study.insight.canvas import (
    GAP,
    LARGE,
    MARGIN,
    MIDDLE,
    SMALL,
    WIDTH,
    box,
    canvas,
    paste,
    write,
)
from exporter.study.insight.findings import LoopTest
from exporter.study.insight.measure import Insight
from exporter.study.palette import BACKGROUND, FAINT, LINE, SAFE, TEXT, WHITE, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NEURONS = 32
"""Neurons shown of one layer at most, its first ones."""

N_TOP = 6
"""Images shown of those that light a neuron most."""

N_TOP_MEAN = 100
"""Images in the mean of those that light a neuron most."""

N_EXAMPLES = 11
"""Images shown with a loop, and without."""

PER_ROW = 8
OUTPUTS_PER_ROW = 10


def draw_all(network: Network, insight: Insight, palette: Palette = SAFE) -> dict[str, bytes]:
    """Return every picture by its file's name."""
    pictures = {
        "weights.png": draw_weights(network, palette),
        "edges.png": draw_edges(network, insight, palette),
        "code.png": draw_code(network, insight, palette),
        "optimal.png": draw_preferred(network, insight),
        "loops.png": draw_loops(network, insight, palette),
    }
    for index in range(len(network.layers) - 1):
        pictures[f"layer-{index + 1}.png"] = draw_responses(network, insight, index, palette)
    return pictures


def draw_weights(network: Network, palette: Palette = SAFE) -> bytes:
    """Draw each first-layer neuron's weights where its pixels are, on one scale."""
    layer = network.layers[0]
    weights = layer.weights[:MAX_NEURONS]
    limit = float(np.abs(weights).max())
    height = MARGIN + _n_rows(len(weights)) * (LARGE + 26) + 46
    figure, axes = canvas(height)
    for index, tile in enumerate(paint_signed(weights, limit, palette)):
        x, y = MARGIN + index % PER_ROW * (LARGE + 19), MARGIN + index // PER_ROW * (LARGE + 26)
        paste(axes, tile, x, y, LARGE)
        write(axes, x, y + LARGE + 11, f"{index + 1}")
        bias = float(layer.biases[index])
        write(axes, x + LARGE, y + LARGE + 11, f"bias {bias:+.2f}", palette.of(bias), "right")
    _draw_scale(axes, limit, height - 28, palette)
    return to_png(figure)


def draw_edges(network: Network, insight: Insight, palette: Palette) -> bytes:
    """Draw under each first-layer neuron's weights the edge or bar that they are most like."""
    weights = edges.normalize(network.layers[0].weights[:MAX_NEURONS])
    measured, filters = insight.findings.edges, insight.matches.filters
    step = 2 * LARGE + 52
    figure, axes = canvas(MARGIN + _n_rows(len(weights)) * step)
    for index, image in enumerate(weights):
        x, y = MARGIN + index % PER_ROW * (LARGE + 19), MARGIN + index // PER_ROW * step
        paste(axes, paint_alone(image, palette), x, y, LARGE)
        paste(axes, paint_alone(filters[index], palette), x, y + LARGE + 2, LARGE)
        match, chance = measured.matches[index], measured.chance[index]
        kind, colour = "bar" if measured.bars[index] else "edge", TEXT if match > chance else FAINT
        write(axes, x, y + 2 * LARGE + 14, f"{index + 1}  {kind} {match:.2f}", colour)
        write(axes, x, y + 2 * LARGE + 30, f"chance {chance:.2f}", FAINT)
    return to_png(figure)


def draw_responses(network: Network, insight: Insight, index: int, palette: Palette) -> bytes:
    """Draw what each neuron of a hidden layer responds to, two neurons a row."""
    activations = insight.activations[index][:, :MAX_NEURONS]
    n_neurons = activations.shape[1]
    composite = responses.composite_weights(network)[index]
    weighted = responses.weighted_mean_images(activations, insight.images)
    top = responses.top_images(activations, min(N_TOP_MEAN, len(activations)))
    means = insight.images[top].mean(axis=1)
    heads = (("weights", "W2 W1")[index] if index < 2 else "product", "likes", "mean")
    rows = -(-n_neurons // 2)
    first = MARGIN + 20
    figure, axes = canvas(first + rows * (SMALL + GAP) + MARGIN)
    for neuron in range(n_neurons):
        left = MARGIN + 28 + neuron // rows * (WIDTH / 2 - 4)
        y = first + neuron % rows * (SMALL + GAP)
        write(axes, left - 6, y + SMALL / 2, f"{neuron + 1}", align="right")
        shown = paint_ink(np.stack([means[neuron], *insight.images[top[neuron, :N_TOP]]]))
        signed = (composite[neuron], weighted[neuron])
        tiles = [*(paint_alone(image, palette) for image in signed), *shown]
        places = [left + place * (SMALL + 3) + (8 if place > 2 else 0) for place in range(9)]
        for x, tile in zip(places, tiles, strict=False):
            paste(axes, tile, x, y, SMALL)
        if neuron % rows == 0:
            for x, head in zip(places, heads, strict=False):
                write(axes, x + SMALL / 2, y - 11, head, FAINT, "center", points=8)
            write(axes, places[3], y - 11, "images that light it most", FAINT, points=8)
    return to_png(figure)


def draw_code(network: Network, insight: Insight, palette: Palette) -> bytes:
    """Draw how bright each hidden neuron is for each class, and the accuracy lost without it."""
    n_classes = len(network.labels)
    left, row, bars = 120, 20, 80
    block = 26 + row * n_classes + bars + 24
    figure, axes = canvas(MARGIN + len(insight.findings.codes) * block)
    highest = max(max(code.losses) for code in insight.findings.codes)
    for index, code in enumerate(insight.findings.codes):
        activations = insight.activations[index][:, :MAX_NEURONS]
        means = responses.class_means(activations, insight.labels, n_classes)
        shares = (means - means.min()) / max(float(np.ptp(means)), 1e-12)
        y = MARGIN + index * block
        width = (WIDTH - left - MARGIN) / means.shape[1]
        write(axes, left, y + 8, f"Layer {index + 1}: mean activation for each class")
        for label, values in enumerate(shares):
            top = y + 26 + label * row
            write(axes, left - 10, top + row / 2 - 1, network.labels[label], align="right")
            for neuron, share in enumerate(values):
                box(axes, left + neuron * width, top, width - 2, row - 2, WHITE, share)
        floor = y + 26 + n_classes * row + bars - 14
        write(axes, left - 10, floor - 20, "accuracy lost\nwithout it", FAINT, "right")
        for neuron, lost in enumerate(code.losses[: means.shape[1]]):
            x = left + neuron * width
            length = max(max(lost, 0.0) / max(highest, 1e-12) * (bars - 40), 1.0)
            box(axes, x + width / 4, floor - length, width / 2, length, palette.negative)
            middle = x + width / 2 - 1
            points = min(8.0, width / 6)
            loss = f"{100 * lost:.1f}%"
            write(axes, middle, floor - length - 9, loss, FAINT, "center", points=points)
            write(axes, middle, floor + 11, f"{neuron + 1}", TEXT, "center")
    return to_png(figure)


def draw_preferred(network: Network, insight: Insight) -> bytes:
    """Draw for each output the mean image of its class and its preferred inputs."""
    preferred = insight.findings.preferred
    step = 3 * (MIDDLE + 22) + 30
    labels = network.labels[:MAX_NEURONS]
    figure, axes = canvas(MARGIN + -(-len(labels) // OUTPUTS_PER_ROW) * step)
    for index, label in enumerate(labels):
        x = MARGIN + 72 + index % OUTPUTS_PER_ROW * (MIDDLE + 15)
        y = MARGIN + index // OUTPUTS_PER_ROW * step
        smooth = insight.smooth[index] / max(float(insight.smooth[index].max()), 1e-6)
        members = insight.images[insight.labels == index]
        # Black when there is none.
        mean = members.sum(axis=0) / np.float32(max(len(members), 1))
        tiles = paint_ink(np.stack([mean, insight.unpenalised[index], smooth]))
        notes = (
            f"z ≤ {preferred.highest_real_z[index]:.1f}",
            f"z = {preferred.unpenalised[index].z:.1f}",
            f"z = {preferred.smooth[index].z:.1f}",
        )
        write(axes, x + MIDDLE / 2, y + 6, label, align="center", bold=True)
        for place, name in enumerate(("real", "free", "smooth")):
            top = y + 20 + place * (MIDDLE + 22)
            paste(axes, tiles[place], x, top, MIDDLE)
            write(axes, x + MIDDLE / 2, top + MIDDLE + 10, notes[place], FAINT, "center")
            if index % OUTPUTS_PER_ROW == 0:
                write(axes, x - 12, top + MIDDLE / 2, name, align="right")
    return to_png(figure)


def draw_loops(network: Network, insight: Insight, palette: Palette) -> bytes:
    """Draw images of one class with and without a loop, and how well each is told."""
    tests = insight.findings.loops
    within = insight.findings.class_loops
    strips = 2 * (MIDDLE + GAP) if within else 0
    figure, axes = canvas(MARGIN + strips + 64 + 46 * len(tests) + MARGIN)
    y = float(MARGIN)
    if within:
        evenly = max(within, key=lambda test: min(test.n_with, test.n_without)).subject
        members = insight.labels == network.labels.index(evenly)
        for name, flags in (("with", insight.holes > 0), ("without", insight.holes == 0)):
            write(axes, MARGIN, y + MIDDLE / 2, f"{evenly}\n{name} a loop", FAINT)
            for place, tile in enumerate(paint_ink(insight.images[members & flags][:N_EXAMPLES])):
                paste(axes, tile, 112 + place * (MIDDLE + GAP), y, MIDDLE)
            y += MIDDLE + GAP
    _draw_loop_tests(axes, tests, y + 20, palette)
    return to_png(figure)


def _draw_loop_tests(
    axes: "Axes", tests: tuple[LoopTest, ...], top: float, palette: Palette
) -> None:
    """Draw a line for each test: single pixels and neurons above it, read-outs below."""
    left, right = 210.0, WIDTH - 2.0 * MARGIN
    legend = (
        ("best pixel", FAINT, "s", -9, 0),
        ("best neuron, shuffled", palette.negative, "X", -9, 110),
        ("best neuron", palette.positive, "o", -9, 280),
        ("read-out of all pixels", FAINT, "D", 9, 400),
        ("read-out of a layer", palette.positive, "D", 9, 575),
    )

    def place(area: float) -> float:
        return left + (right - left) * (min(max(area, 0.5), 1.0) - 0.5) * 2

    for name, colour, marker, _, offset in legend:
        axes.scatter([left + offset], [top], s=34, c=colour, marker=marker)
        write(axes, left + offset + 9, top, name, FAINT)
    floor = top + 24 + 46 * len(tests)
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        axes.plot([place(tick)] * 2, [top + 22, floor], color=LINE, linewidth=0.8, zorder=0)
        write(axes, place(tick), floor + 10, f"{tick:g}", FAINT, "center")
    for index, test in enumerate(tests):
        y = top + 46 + 46 * index
        what = "all images" if test.subject == "all" else f"images of {test.subject}"
        write(axes, MARGIN, y, f"{what}\n{test.n_with:,} with, {test.n_without:,} without")
        groups = (
            (test.pixel_area,),
            test.chance_areas,
            test.neuron_areas,
            (test.pixels_area,),
            test.layer_areas,
        )
        for (_, colour, marker, shift, _), areas in zip(legend, groups, strict=True):
            places = [place(area) for area in areas]
            heights = [y + shift] * len(areas)
            axes.scatter(places, heights, s=34, c=colour, marker=marker, zorder=3)
            if colour == palette.positive:
                for number, x in enumerate(places, start=1):
                    write(axes, x, y + shift, f"{number}", BACKGROUND, "center", points=6)


def _draw_scale(axes: "Axes", limit: float, y: float, palette: Palette) -> None:
    """Draw which colour is which weight."""
    length = 300.0
    values = np.linspace(-limit, limit, 256, dtype=np.float32)[:, np.newaxis]
    strip = paint_signed(values, limit, palette).reshape(1, -1, 3)
    paste(axes, strip, (WIDTH - length) / 2, y - 6, length, 12)
    for share, text in ((-1, f"{-limit:+.1f}"), (0, "0"), (1, f"{limit:+.1f}")):
        write(axes, (WIDTH + share * length) / 2, y + 16, text, FAINT, "center")


def _n_rows(n_neurons: int) -> int:
    return -(-n_neurons // PER_ROW)
