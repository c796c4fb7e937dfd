"""Writes a network's model card, Markdown, from what its weights file says of it and nothing else.

After Mitchell et al., Model cards for model reporting, 2019.
"""

import math
from collections.abc import Iterator

from exporter.network.network import Network
from exporter.network.weights_file import Provenance, Saved
from exporter.study import evaluation, records
from exporter.study.evaluation import Confidence, Evaluation, EvaluationError
from exporter.study.markdown import table, wrap
from exporter.study.report import (
    describe_data,
    distorted_rows,
    out_of_distribution_rows,
    percent,
    percent_with_error,
)
from exporter.study.robustness import Robustness
from exporter.training.mnist import NAME, Dataset
from modelfile.metadata import weights_sha256

N_CONFUSIONS = 5

CHECKSUMS = {"images_sha256", "labels_sha256"}
"""What provenance has of the training files, by which they are known."""

COMMANDS = """\
## Measure it again

From the repository's folder, whose `tests/data` holds MNIST's test images; `--weights FILE` chooses
another network than the one that ships.

| what | command |
| --- | --- |
| the training images | `.venv/bin/python -m exporter fetch` |
| the weights, with the options above | `.venv/bin/python -m exporter train` |
| accuracy, confusion, calibration, wrong answers | `.venv/bin/python -m exporter evaluate \
--no-distortions --data tests/data` |
| all figures | `.venv/bin/python -m exporter evaluate --data tests/data --json evaluation.json` |
| the pictures, and the figures in the weights file | `.venv/bin/python -m exporter evaluate \
--data tests/data --record --pictures docs/model-card` |
| this page, from the weights file | `.venv/bin/python -m exporter card \
--output docs/model-card.md` |"""


def write(name: str, saved: Saved, pictures: str) -> str:
    """Return the card of a network called `name`; its pictures are in the folder `pictures`.

    `pictures` is relative to the card. Raises EvaluationError when the file has no evaluation.
    """
    if saved.evaluation is None:
        raise EvaluationError(f"evaluation: {name} has none")
    measured = records.decode(saved.evaluation)
    if measured.labels != saved.network.labels:
        raise EvaluationError(
            f"evaluation: is of the labels {', '.join(measured.labels)}, but {name} has "
            f"{', '.join(saved.network.labels)}"
        )
    sections = [
        *_introduction(name, saved.network, measured),
        *_training(saved.provenance),
        *_results(measured, pictures),
        *_robustness(measured.robustness, pictures),
        *_limits(saved.provenance, measured),
        COMMANDS,
    ]
    return "\n\n".join(sections) + "\n"


def _introduction(name: str, network: Network, measured: Evaluation) -> Iterator[str]:
    neurons = (f"{len(layer.biases)} {layer.activation}" for layer in network.layers)
    layers = " > ".join([f"{network.n_inputs}", *neurons])
    side = math.isqrt(network.n_inputs)
    square = f": {side} rows of {side}" if side**2 == network.n_inputs else ""
    accuracy = measured.accuracy
    yield f"# Model card: {name}"
    command = ".venv/bin/python -m exporter card"
    yield f"<!-- Written by `{command}`, which undoes what is changed by hand. -->"
    yield wrap(
        f"A multilayer perceptron of {network.parameter_count:,} parameters that sorts images into "
        f"{len(network.labels)} classes. It gets {percent(accuracy.overall)} of "
        f"{accuracy.n_images:,} {measured.split} images right (standard error "
        f"{percent(accuracy.standard_error)})."
    )
    yield table(
        ("", "what it is"),
        [
            ("layers", layers),
            ("input", f"{network.n_inputs} pixels{square}; 0 is black background, 1 white ink"),
            ("output", f"an activation for each of {', '.join(network.labels)}"),
            *([("measured on", describe_data(measured))] if measured.data else []),
            ("label", "the class whose output is brightest"),
            ("weights' SHA-256", f"`{weights_sha256(network.parameters)}`"),
        ],
    )


def _training(provenance: Provenance) -> Iterator[str]:
    yield "## Training and selection"
    facts = {key: value for key, value in provenance.items() if not key.startswith("test_")}
    if not facts:
        yield "Its file doesn't say."
        return
    if facts.keys() >= CHECKSUMS:
        facts["dataset"] = Dataset(**{key: str(facts[key]) for key in CHECKSUMS}).name
    rows = [
        (key.replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
        for key, value in facts.items()
    ]
    yield table(("", "how"), rows)
    if "protocol" in facts:
        yield wrap(
            "The test images were used for the figures on this page alone: nothing was trained, "
            "chosen or tuned on them. The validation accuracy is the one that choices were made "
            "by, so it is optimistic."
        )


def _results(measured: Evaluation, pictures: str) -> Iterator[str]:
    accuracy = measured.accuracy
    yield f"## Results on the {measured.split} images"
    yield wrap(
        "± is a standard error. Accuracy is the share of a class's images that are right,",
        "precision the share of an answer's images that are.",
    )
    rows = [
        (label, f"{total:,}", percent_with_error(correct, total), percent(precision))
        for label, total, correct, precision in zip(
            measured.labels, accuracy.total, accuracy.correct, measured.precision, strict=True
        )
    ]
    overall = percent_with_error(sum(accuracy.correct), accuracy.n_images)
    rows.append(("**all**", f"{accuracy.n_images:,}", f"**{overall}**", ""))
    yield table(("label", "images", "accuracy", "precision"), rows, align_right=True)
    yield "### Confusions"
    confusions = evaluation.most_confused(measured, N_CONFUSIONS)
    if confusions:
        yield wrap(
            f"Most often it mistakes {', '.join(confusions)}.",
            "In the table a row is a true class, a column an answer.",
        )
    yield table(
        ("truth", *measured.labels),
        [
            (f"**{label}**", *(f"{images}" if images else "" for images in row))
            for label, row in zip(measured.labels, measured.confusion, strict=True)
        ],
        align_right=True,
    )
    yield f"![The same as a picture]({pictures}/confusion.png)"
    if measured.confidence:
        yield from _confidence(measured.confidence, accuracy.n_images, pictures)
    if measured.mistakes:
        yield "### The most confident mistakes"
        yield f"![Images, each with its true class and the answer]({pictures}/mistakes.png)"


def _confidence(confidence: Confidence, n_images: int, pictures: str) -> Iterator[str]:
    yield "### Calibration"
    without = confidence.without_bright_output
    sentences = [
        f"Its calibration error is {percent(confidence.calibration_error)}: the average difference",
        "between the brightest output and the share of right answers among images with a similar",
        f"output. {percent(without / n_images)} of the images have no output above 0.5.",
    ]
    unsure = [row for row in confidence.bins if row.images and row.mean_output < 0.5]
    if unsure:
        images = sum(row.images for row in unsure)
        right = sum(row.correct for row in unsure) / images
        mean_output = sum(row.images * row.mean_output for row in unsure) / images
        sentences += [
            f"The average hides the few images that it is unsure about: of {images:,} with a",
            f"brightest output of {mean_output:.2f} on average, {percent(right)} are right.",
        ]
    yield wrap(*sentences)
    yield f"![Right answers over the brightest output]({pictures}/calibration.png)"


def _robustness(measured: Robustness | None, pictures: str) -> Iterator[str]:
    yield "## Limits"
    if measured is None:
        yield "Its images aren't square, so distortions and canonical mode have not been measured."
        return
    yield wrap(
        "It knows images like those it was trained on. It may silently get others wrong.",
        "Canonical mode (`canonicalize` in a request) normalises them before it sees them: white",
        "ink on black, as large as in training, in the middle. Accuracy on the same images,",
        "distorted:",
    )
    header = ("distortion", "as it is", "in canonical mode")
    yield table(header, distorted_rows(measured), align_right=True)
    yield f"![The same as a picture]({pictures}/robustness.png)"
    if not measured.out_of_distribution:
        yield "It has no output for *none of these*, so it has an answer to everything."
        return
    yield wrap(
        "It has no output for *none of these*, so it has an answer to everything. The share of "
        "images of no class that get an output above 0.5, as if it knew them:"
    )
    kinds = ("images", "how many", "as it is", "in canonical mode")
    yield table(kinds, out_of_distribution_rows(measured), align_right=True)


def _limits(provenance: Provenance, measured: Evaluation) -> Iterator[str]:
    accuracy = measured.accuracy
    wrong = accuracy.n_images - sum(accuracy.correct)
    dataset = provenance.get("dataset", "its training set")
    limits = [
        f"Meant for learning how a network works, for demonstrations and for testing servers, with "
        f"images like those of {dataset}.",
        "Not meant for any use in which a wrong answer has consequences: it got "
        f"{wrong:,} of {accuracy.n_images:,} images wrong, and other images are harder.",
        "A bright output does not prove that an image belongs to a class: see above.",
        "The standard errors cover the random choice of images. Another training's seed "
        "gives another network, which may be a little better or worse.",
    ]
    if (measured.data.name if measured.data else dataset) == NAME:
        # So say its authors: http://yann.lecun.com/exdb/mnist.
        limits.insert(
            2,
            "MNIST's digits were written by census workers and high-school students in the United "
            "States, cut out one by one, scaled and centred. Other hands, pens, cameras and ways "
            "to write a digit were not measured.",
        )
    yield "## Intended use"
    yield wrap("- " + "\n- ".join(limits))
