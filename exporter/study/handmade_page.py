"""Writes the page that explains the handmade network; imports matplotlib, which is slow."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from exporter.network.network import Batch, Network
from exporter.study import evaluation, handmade
from exporter.study.evaluation import Evaluation
from exporter.study.figure import paint_alone, to_png
from exporter.study.handmade import DIGITS, PATTERNS, STROKES
from exporter.study.markdown import table, wrap
from exporter.study.palette import BACKGROUND, LINE, SAFE, TEXT, Palette
from exporter.training.mnist import Labels

N_CONFUSED = 8
"""How many of the commonest mistakes are listed."""

N_COLUMNS = 8

PAGE = """\
# By hand

Nothing in this network was trained. It has the shape of the one that ships, 784-16-16-10
sigmoids, but its numbers were set by hand, so that each has a reason that can be read, checked and
doubted. It does what one might hope that a network does: the first layer sees strokes, the second
layer patterns of strokes, and the outputs put patterns together into digits.

{accuracy}

```sh
.venv/bin/python -m exporter handmade
.venv/bin/python -m exporter draw --weights checkpoints/handmade.npz --output handmade.svg
.venv/bin/python -m exporter evaluate --weights checkpoints/handmade.npz --data tests/data \\
  --no-distortions
.venv/bin/python -m exporter export --weights checkpoints/handmade.npz --name handmade
.venv/bin/python -m server --default-model handmade
```

The first command writes the network, the second draws it at work, the third measures it on MNIST's
test images, and the fourth publishes it as model `handmade`, which the server then serves beside
any other models.

## The first layer: strokes

A stroke is a neuron with a bar somewhere in the image. Its weights average the pixels under the
bar, so it knows one thing: which share of its bar is inked. Above a set share it fires. The bars
were put where the mean images of the ten classes differ, and made a little wider than a pen,
because no two hands write in the same place.

![Sixteen bars, each in its place in the image]({folder}/strokes.png)

{strokes}

The columns, rows, lengths and widths are in pixels, the angles in degrees: 0 lies, 45 rises to
the right, 90 stands. The activation is 0.5 where the inked share is the one in the table, and
0.77 where it is a tenth more.

## The second layer: patterns

A pattern adds up its strokes, each from -3 to 3 times its activation, and fires above its
threshold. Most numbers are 1: for, or against. A 2 or 3 marks what tells a digit from the one that
it is most often mistaken for. Below is each pattern as an image: {positive} where ink speaks for
it, {negative} where ink speaks against it.

![Sixteen patterns, each as the sum of its strokes]({folder}/patterns.png)

{patterns}

## The outputs: digits

An output adds up patterns in the same way. What makes the digit counts up to 3; what speaks
against it is mostly the mark of a digit that it was mistaken for.

{digits}

## At work

![The handmade network looks at a 3: strokes, patterns and digits by name]({folder}/at-work.svg)

On one image the reasons can be followed by eye: which strokes fire, which patterns they add up
to, and which digit those make. A {positive} line adds to the neuron at its end, a dashed
{negative} one takes away from it. The names come from the weights file, which may have arrays
`names1`, `names2` and so on, a text for each neuron of a hidden layer. `exporter draw --image FILE`
shows the network a picture of yours.

How bright the patterns are for the test images of each class, in percent:

{brightness}

A perfect pattern would be 100 in its own columns and 0 in the others. None is.

## Results

{classes}

Rows are the true classes, columns the answers:

{confusion}

The most frequent confusions: {confused}.

## What it teaches

- **The idea is sound, and not enough.** Strokes, patterns and digits are a fair account of how
  digits differ: chance would be right once in ten. But nobody writes the mean digit. A 1 that
  leans crosses the bars of a 2, a 5 that is squat has its middle where 4 has its crossbar, a 7
  with a serif has the upper left of a 9.
- **A rule that helps one digit hurts another.** The first set of rules was right on 63% of the
  training images. Each later change mended one mistake that was seen, and most of them made
  another; the last ten hardly gained anything. Training weighs all ten classes at each step. By
  hand one looks at two at a time.
- **Few numbers are used.** {used} Training uses all, and most of them are small: many weak hints,
  none of which has a name, beat a few strong ones that do.
- **Textbook detectors aren't better.** Giving each bar an inhibitory surround, half of its own
  weight, lost five points on the training images: a broad pen inks the surround too. Here the
  patterns inhibit instead.
- **It doesn't know when it is wrong.** {unsure} It can be fully confident in a wrong answer
  where it has no rule, such as for a 5 that is too high in the image.

All choices were made on training images: mean images, how bright each neuron is for each class,
mistakes. A few alternatives were compared by how many training images they get right: five pairs
of gains, four places of one bar, some rules. No program chose: there was no optimiser, no
regression and no search. The test images were used for this page's figures alone. The page and its
pictures are written by `.venv/bin/python -m exporter handmade --page docs/handmade.md --data
tests/data`.
"""


def write(
    folder: str, trained: Network, images: Batch, labels: Labels, palette: Palette = SAFE
) -> str:
    """Return the page, as Markdown, with the accuracy on test images (N, 784) and labels (N,).

    `folder` is where the page looks for its pictures; `trained` is the network to compare with.
    """
    network = handmade.build()
    measured = evaluation.measure(network, images, labels, "test")
    compared = evaluation.measure(trained, images, labels, "test")
    patterns = network.forward(images)[1]
    filled = {
        "accuracy": _accuracy(measured, compared),
        "strokes": table(
            ["stroke", "column, row", "length x width", "angle", "share", "why"],
            (
                [
                    bar.name,
                    f"{bar.column:g}, {bar.row:g}",
                    f"{bar.length:g} x {bar.width:g}",
                    f"{bar.angle:g}",
                    f"{bar.share:g}",
                    bar.why,
                ]
                for bar in STROKES
            ),
        ),
        "patterns": _rules(
            (rule.name, rule.strokes, rule.threshold, rule.why) for rule in PATTERNS
        ),
        "digits": _rules((rule.label, rule.patterns, rule.threshold, rule.why) for rule in DIGITS),
        "brightness": _brightness(patterns, labels),
        "classes": _classes(measured, compared),
        "confusion": _confusion(measured),
        "confused": ", ".join(evaluation.most_confused(measured, N_CONFUSED)),
        "used": _used(network),
        "unsure": _unsure(measured),
        "folder": folder,
        "positive": palette.positive_name,
        "negative": palette.negative_name,
    }
    return "\n\n".join(wrap(block.format(**filled)) for block in PAGE.split("\n\n")) + "\n"


def draw_strokes(palette: Palette = SAFE) -> bytes:
    """Return a PNG of the bars of all strokes."""
    bars = np.stack([handmade.draw_bar(stroke).ravel() for stroke in STROKES])
    return _draw(bars, [stroke.name for stroke in STROKES], palette)


def draw_patterns(palette: Palette = SAFE) -> bytes:
    """Return a PNG of all patterns, each the sum of its strokes' bars times their weights."""
    first, second, _ = handmade.build().layers
    names = [pattern.name for pattern in PATTERNS]
    return _draw(second.weights @ first.weights, names, palette)


def fingerprint() -> str:
    """Return the SHA-256 of all strokes and patterns, by which a picture is known to be of them."""
    return hashlib.sha256(repr((STROKES, PATTERNS)).encode()).hexdigest()


def _draw(weights: Batch, names: Sequence[str], palette: Palette) -> bytes:
    """Draw weights (N, 784) as PNG, each on a scale of its own."""
    n_rows = math.ceil(len(names) / N_COLUMNS)
    figure = Figure(figsize=(9.6, 1.52 * n_rows), facecolor=BACKGROUND)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.03, top=0.9, wspace=0.08, hspace=0.3)
    grid = figure.subplots(n_rows, N_COLUMNS, squeeze=False)
    for axes, image, name in zip(grid.flat, weights, names, strict=False):
        axes.imshow(paint_alone(image, palette))
        axes.set_title(name, color=TEXT, fontsize=7.5, pad=3)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(LINE)
    return to_png(figure, fingerprint())


def _accuracy(measured: Evaluation, compared: Evaluation) -> str:
    by_hand, trained = measured.accuracy, compared.accuracy
    return (
        f"It gets **{by_hand.overall:.2%}** of {by_hand.n_images:,} test images right (standard "
        f"error {by_hand.standard_error:.2%}). The trained network gets {trained.overall:.2%}: for "
        "each image that it gets wrong, this one gets "
        f"{(1 - by_hand.overall) / (1 - trained.overall):.0f} wrong. It is here to be looked at, "
        "not to be used, and made for images of 28 rows of 28 alone."
    )


def _rules(rules: Iterable[tuple[str, Mapping[str, int], float, str]]) -> str:
    rows = (
        [name, ", ".join(f"{weight:+d} {part}" for part, weight in parts.items()), f"{more:g}", why]
        for name, parts, more, why in rules
    )
    return table(["fires for", "adds up", "more than", "why"], rows)


def _brightness(activations: Batch, labels: Labels) -> str:
    """Tell the mean of each pattern's activations (N, patterns) for each class."""
    means = [activations[labels == label].mean(axis=0) for label in range(len(DIGITS))]
    rows = (
        [pattern.name, *(f"{100 * mean:.0f}" for mean in column)]
        for pattern, *column in zip(PATTERNS, *means, strict=True)
    )
    return table(["pattern", *(digit.label for digit in DIGITS)], rows)


def _classes(measured: Evaluation, compared: Evaluation) -> str:
    columns = (measured.accuracy.per_class, measured.precision, compared.accuracy.per_class)
    rows = (
        [label, *(f"{share:.1%}" for share in shares)]
        for label, *shares in zip(measured.labels, *columns, strict=True)
    )
    heads = ["digit", "right", "share of these answers that is right", "right when trained"]
    return table(heads, rows)


def _confusion(measured: Evaluation) -> str:
    rows = []
    for truth, (label, counts) in enumerate(zip(measured.labels, measured.confusion, strict=True)):
        cells = [str(count) for count in counts]
        cells[truth] = f"**{cells[truth]}**"
        rows.append([f"**{label}**", *cells])
    return table(["", *measured.labels], rows)


def _used(network: Network) -> str:
    used = [int(np.count_nonzero(layer.weights)) for layer in network.layers]
    parts = [*(pattern.strokes for pattern in PATTERNS), *(digit.patterns for digit in DIGITS)]
    chosen = sum(map(len, parts))
    return (
        f"Of {network.parameter_count:,} weights and biases {sum(used):,} weights aren't 0, and "
        f"{used[0]:,} of these follow from six numbers a bar. {chosen} weights between neurons "
        "were chosen one by one."
    )


def _unsure(measured: Evaluation) -> str:
    assert measured.confidence is not None, "the outputs are sigmoids"
    share = measured.confidence.without_bright_output / measured.accuracy.n_images
    return (
        f"For {share:.0%} of the test images no output is above 0.5; its calibration error is "
        f"{measured.confidence.calibration_error:.1%}."
    )
