"""Draws an evaluation as PNG pictures, with matplotlib: slow to import, so import this late."""

import hashlib
import json
import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from exporter.network.network import Batch
from exporter.study import records
from exporter.study.evaluation import Confidence, Evaluation, standard_error
from exporter.study.figure import image_shape, to_png
from exporter.study.palette import BACKGROUND, FAINT, LINE, SAFE, TEXT, Palette
from exporter.study.robustness import Distorted

MARGIN_INCHES = 0.1
MISTAKE_COLUMNS = 6
MAX_COUNTED = 15
"""Classes up to which the confusion matrix's cells hold their number: more would not be legible."""

BRIGHT_CELL = 0.66
"""On cells that are stronger, dark numbers are easier to read than light ones."""


def draw(evaluation: Evaluation, images: Batch, palette: Palette = SAFE) -> dict[str, bytes]:
    """Return the pictures by file name, of an evaluation on images (N, P).

    What the evaluation doesn't hold is left out. Each file's Description is `fingerprint`'s, by
    which a picture is known to belong to an evaluation.
    """
    mark = fingerprint(evaluation)
    return {name: to_png(figure, mark) for name, figure in _figures(evaluation, images, palette)}


def fingerprint(evaluation: Evaluation) -> str:
    """Return the SHA-256 of an evaluation's record, in hexadecimal."""
    return hashlib.sha256(json.dumps(records.encode(evaluation)).encode()).hexdigest()


def _figures(
    evaluation: Evaluation, images: Batch, palette: Palette
) -> Iterator[tuple[str, Figure]]:
    yield "confusion.png", _confusion(evaluation, palette)
    if evaluation.confidence:
        yield "calibration.png", _calibration(evaluation.confidence, palette)
    if evaluation.mistakes:
        yield "mistakes.png", _mistakes(evaluation, images)
    if evaluation.robustness:
        yield "robustness.png", _robustness(evaluation.robustness.distorted, palette)


def _figure(width: float, height: float) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=MARGIN_INCHES, h_pad=MARGIN_INCHES)
    return Figure(figsize=(width, height), facecolor=BACKGROUND, layout=layout)


def _dress(axes: Axes) -> None:
    """Give axes the colours of a dark page."""
    axes.set_facecolor(BACKGROUND)
    axes.tick_params(colors=FAINT, labelcolor=TEXT)
    axes.spines[:].set_color(LINE)
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(TEXT)


def _confusion(evaluation: Evaluation, palette: Palette) -> Figure:
    """Draw right answers, which are on the diagonal, and wrong ones in two colours, each as strong
    as its share of the largest of its kind.
    """
    counts = np.array(evaluation.confusion)
    n_classes = len(counts)
    right = np.eye(n_classes, dtype=bool)
    wrong_most = max(int(counts[~right].max(initial=0)), 1)
    strength = np.where(right, counts / max(counts.max(), 1), -counts / wrong_most)
    steps = [palette.negative, BACKGROUND, palette.positive]
    colours = LinearSegmentedColormap.from_list("wrong to right", steps)
    figure = _figure(6.4, 6.0)
    axes = figure.add_subplot()
    axes.imshow(strength, cmap=colours, vmin=-1, vmax=1)
    if n_classes <= MAX_COUNTED:
        for truth, answer in np.argwhere(counts):
            ink = BACKGROUND if abs(strength[truth, answer]) > BRIGHT_CELL else TEXT
            count = str(counts[truth, answer])
            axes.text(answer, truth, count, ha="center", va="center", color=ink)
    axes.set_xticks(range(n_classes), evaluation.labels)
    axes.set_yticks(range(n_classes), evaluation.labels)
    axes.set(xlabel="answer", ylabel="truth", title=f"Answers on the {evaluation.split} images")
    _dress(axes)
    axes.tick_params(length=0)
    return figure


def _calibration(confidence: Confidence, palette: Palette) -> Figure:
    """Draw the share of right answers over the brightest output, and how many images there are."""
    filled = [row for row in confidence.bins if row.images]
    outputs = [row.mean_output for row in filled]
    shares = [row.correct / row.images for row in filled]
    errors = [standard_error(share, row.images) for share, row in zip(shares, filled, strict=True)]
    figure = _figure(6.4, 6.0)
    curve, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    curve.plot([0, 1], [0, 1], color=FAINT, linestyle="--", label="as sure as right")
    label = "this network, with standard errors"
    colour = palette.positive
    curve.errorbar(outputs, shares, errors, color=colour, marker="o", capsize=3, label=label)
    curve.set(
        ylim=(0, 1.02),
        ylabel="share of right answers",
        title=f"Calibration error {confidence.calibration_error:.2%}",
    )
    curve.legend(loc="lower right", facecolor=BACKGROUND, edgecolor=LINE, labelcolor=TEXT)
    n_bins = len(confidence.bins)
    starts = np.arange(n_bins) / n_bins
    n_images = [row.images for row in confidence.bins]
    counts.bar(starts, n_images, width=0.9 / n_bins, align="edge", color=FAINT)
    counts.set(xlim=(0, 1.02), yscale="log", xlabel="brightest output", ylabel="images")
    for axes in (curve, counts):
        _dress(axes)
        axes.grid(color=LINE, linewidth=0.5)
        axes.set_axisbelow(True)
    return figure


def _mistakes(evaluation: Evaluation, images: Batch) -> Figure:
    """Draw the surest wrong answers' images; those that aren't square as one row of pixels."""
    shape = image_shape(images.shape[1])
    n_rows = math.ceil(len(evaluation.mistakes) / MISTAKE_COLUMNS)
    figure = _figure(9.6, 0.5 + 2.1 * n_rows)
    figure.suptitle("The surest wrong answers", color=TEXT)
    grid = figure.subplots(n_rows, MISTAKE_COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, mistake in zip(grid.flat, evaluation.mistakes, strict=False):
        axes.imshow(images[mistake.image].reshape(shape), cmap="gray", vmin=0, vmax=1)
        truth, answer = evaluation.labels[mistake.truth], evaluation.labels[mistake.answer]
        caption = f"{truth}, answered {answer}\nat {mistake.activation:.3f}"
        axes.set_title(caption, color=TEXT, fontsize=10)
    return figure


def _robustness(rows: tuple[Distorted, ...], palette: Palette) -> Figure:
    """Draw a pair of bars for each distortion: as it is, and in canonical mode."""
    figure = _figure(7.6, 1.2 + 0.34 * len(rows))
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    plain = [row.correct / row.images for row in rows]
    canonical_mode = [row.canonical_correct / row.images for row in rows]
    axes.barh(places - 0.19, plain, height=0.36, color=FAINT, alpha=0.5, label="as it is")
    label = "in canonical mode"
    axes.barh(places + 0.19, canonical_mode, height=0.36, color=palette.positive, label=label)
    axes.set_yticks(places, [row.distortion for row in rows])
    axes.set_xticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
    axes.set(xlim=(0, 1), xlabel="accuracy")
    axes.margins(y=0.01)
    axes.invert_yaxis()
    _dress(axes)
    axes.grid(axis="x", color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    figure.legend(
        loc="outside upper center", ncols=2, facecolor=BACKGROUND, edgecolor=LINE, labelcolor=TEXT
    )
    return figure
