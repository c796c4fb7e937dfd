"""An evaluation as tables in a terminal of 80 columns or more."""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from exporter.study.evaluation import Confidence, Evaluation, standard_error
from exporter.study.robustness import Robustness


def show(evaluation: Evaluation, console: Console) -> None:
    """Print every table that the evaluation has something for, then its summary."""
    unbounded = console.options.update(max_width=sys.maxsize)
    for table in tables(evaluation):
        if Measurement.get(console, unbounded, table).minimum <= console.width:
            console.print(table)
        else:
            console.print(f"{table.title}: too wide for this terminal; see --json and --pictures")
    if evaluation.data:
        console.print(f"Data: {describe_data(evaluation)}.", highlight=False)
    console.print(summary(evaluation), highlight=False)


def summary(evaluation: Evaluation) -> str:
    """Return the figures that matter most, in a sentence."""
    measured, confidence = evaluation.accuracy, evaluation.confidence
    parts = [
        f"Accuracy on the {evaluation.split} images: {percent(measured.overall)} "
        f"(standard error {percent(measured.standard_error)})"
    ]
    if confidence:
        parts.append(f"calibration error {percent(confidence.calibration_error)}")
        without = confidence.without_bright_output / measured.n_images
        parts.append(f"no output above 0.5 for {percent(without)} of them")
    return ", ".join(parts) + "."


def describe_data(evaluation: Evaluation) -> str:
    """Return what was measured: name, number of images and checksums."""
    if evaluation.data is None:
        return "not recorded; `evaluate --record` records it"
    name, n_images = evaluation.data.name, evaluation.accuracy.n_images
    return (
        f"{name}, {n_images:,} images (SHA-256 {evaluation.data.images_sha256}, of their labels "
        f"{evaluation.data.labels_sha256})"
    )


def percent(share: float) -> str:
    """Return a share in [0, 1] as a percentage; a dash when there is none."""
    return "-" if math.isnan(share) else f"{share:.2%}"


def percent_with_error(part: int, whole: int) -> str:
    """Return a share of images as a percentage with its standard error; a dash for no images."""
    if not whole:
        return "-"
    share = part / whole
    return f"{share:.2%} ± {standard_error(share, whole):.2%}"


def distorted_rows(robustness: Robustness) -> list[tuple[str, str, str]]:
    """Return for each distortion its accuracy as it is and in canonical mode."""
    return [
        (
            row.distortion,
            percent_with_error(row.correct, row.images),
            percent_with_error(row.canonical_correct, row.images),
        )
        for row in robustness.distorted
    ]


def out_of_distribution_rows(robustness: Robustness) -> list[tuple[str, str, str, str]]:
    """Return for each kind of image its number, and the share with an output above 0.5."""
    return [
        (
            row.kind,
            f"{row.images:,}",
            percent(row.bright / row.images),
            percent(row.canonical_bright / row.images),
        )
        for row in robustness.out_of_distribution
    ]


def tables(evaluation: Evaluation) -> Iterator[Table]:
    """Return the tables; ± is a standard error."""
    yield _classes(evaluation)
    yield _confusion(evaluation)
    if evaluation.confidence:
        yield _reliability(evaluation.confidence)
    mistakes = [
        (
            str(mistake.image),
            Text(evaluation.labels[mistake.truth]),
            Text(evaluation.labels[mistake.answer]),
            f"{mistake.activation:.3f}",
        )
        for mistake in evaluation.mistakes
    ]
    headers = ("image", "truth", "answer", "activation")
    yield _table("Surest wrong answers", headers, mistakes, "images are counted from 0")
    if evaluation.robustness:
        yield _table(
            "Accuracy on distorted images",
            ("distortion", "as it is", "canonical"),
            distorted_rows(evaluation.robustness),
            "canonical: each image is normalised before the network sees it",
        )
    if evaluation.robustness and evaluation.robustness.out_of_distribution:
        yield _table(
            "Images of no class with an output above 0.5",
            ("kind", "images", "as it is", "canonical"),
            out_of_distribution_rows(evaluation.robustness),
        )


def _classes(evaluation: Evaluation) -> Table:
    measured = evaluation.accuracy
    rows = [
        (
            Text(label),
            f"{correct:,}",
            f"{total:,}",
            percent_with_error(correct, total),
            percent(precision),
        )
        for label, correct, total, precision in zip(
            evaluation.labels, measured.correct, measured.total, evaluation.precision, strict=True
        )
    ]
    headers = ("label", "right", "images", "accuracy", "precision")
    table = _table("Classes", headers, rows, "precision: share of the answers that is right")
    table.add_section()
    correct, total = sum(measured.correct), measured.n_images
    table.add_row("all", f"{correct:,}", f"{total:,}", percent_with_error(correct, total))
    return table


def _confusion(evaluation: Evaluation) -> Table:
    labels = [Text(label) for label in evaluation.labels]
    rows = [
        (label, *(_count(images, answer == truth) for answer, images in enumerate(row)))
        for truth, (label, row) in enumerate(zip(labels, evaluation.confusion, strict=True))
    ]
    caption = "a row for each true class, a column for each answer"
    return _table("Confusion", ("truth", *labels), rows, caption)


def _count(images: int, right: bool) -> Text:
    if not images:
        return Text("·", style="dim")
    return Text(str(images), style="bold" if right else "")


def _reliability(confidence: Confidence) -> Table:
    n_bins = len(confidence.bins)
    rows = [
        (
            f"{index / n_bins:.2f} to {(index + 1) / n_bins:.2f}",
            f"{row.images:,}",
            f"{row.mean_output:.3f}",
            f"{row.correct / row.images:.3f}",
            f"{row.correct / row.images - row.mean_output:+.3f}",
        )
        for index, row in enumerate(confidence.bins)
        if row.images
    ]
    headers = ("brightest output", "images", "mean output", "right", "difference")
    caption = "difference: below 0 is too sure, above 0 not sure enough"
    return _table("Calibration", headers, rows, caption)


def _table(
    title: str,
    headers: Sequence[str | Text],
    rows: Iterable[Sequence[str | Text]],
    caption: str | None = None,
) -> Table:
    """Return a table whose columns but the first are numbers."""
    table = Table(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table
