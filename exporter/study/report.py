"""An evaluation as tables in a terminal of 80 columns or more."""

import math
import sys
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from exporter.study.evaluation import Confidence, Evaluation, standard_error
from exporter.study.robustness import Robustness


def show(evaluation: Evaluation, console: Console) -> None:
    """Print every table that the evaluation has something for, then its summary."""
    for table in tables(evaluation):
        if _least_width(table, console) <= console.width:
            console.print(table)
        else:
            console.print(f"{table.title}: too wide for this terminal; see --json and --pictures")
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
    yield _mistakes(evaluation)
    if evaluation.robustness:
        yield _distorted(evaluation.robustness)
        yield _out_of_distribution(evaluation.robustness)


def _classes(evaluation: Evaluation) -> Table:
    measured = evaluation.accuracy
    table = _table("Classes", "label", "right", "images", "accuracy", "precision")
    for label, correct, total, precision in zip(
        evaluation.labels, measured.correct, measured.total, evaluation.precision, strict=True
    ):
        table.add_row(
            Text(label),
            f"{correct:,}",
            f"{total:,}",
            percent_with_error(correct, total),
            percent(precision),
        )
    table.add_section()
    correct, total = sum(measured.correct), measured.n_images
    table.add_row("all", f"{correct:,}", f"{total:,}", percent_with_error(correct, total))
    table.caption = "precision: share of the answers that is right"
    return table


def _confusion(evaluation: Evaluation) -> Table:
    table = _table("Confusion", "truth", *map(Text, evaluation.labels))
    for truth, (label, row) in enumerate(zip(evaluation.labels, evaluation.confusion, strict=True)):
        cells = [_count(images, answer == truth) for answer, images in enumerate(row)]
        table.add_row(Text(label), *cells)
    table.caption = "a row for each true class, a column for each answer"
    return table


def _count(images: int, right: bool) -> Text:
    if not images:
        return Text("·", style="dim")
    return Text(str(images), style="green" if right else "red")


def _reliability(confidence: Confidence) -> Table:
    table = _table(
        "Calibration", "brightest output", "images", "mean output", "right", "difference"
    )
    n_bins = len(confidence.bins)
    for index, row in enumerate(confidence.bins):
        if row.images:
            right = row.correct / row.images
            table.add_row(
                f"{index / n_bins:.2f} to {(index + 1) / n_bins:.2f}",
                f"{row.images:,}",
                f"{row.mean_output:.3f}",
                f"{right:.3f}",
                f"{right - row.mean_output:+.3f}",
            )
    table.caption = "difference: below 0 is too sure, above 0 not sure enough"
    return table


def _mistakes(evaluation: Evaluation) -> Table:
    table = _table("Surest wrong answers", "image", "truth", "answer", "activation")
    for mistake in evaluation.mistakes:
        table.add_row(
            str(mistake.image),
            Text(evaluation.labels[mistake.truth]),
            Text(evaluation.labels[mistake.answer]),
            f"{mistake.activation:.3f}",
        )
    table.caption = "images are counted from 0"
    return table


def _distorted(robustness: Robustness) -> Table:
    table = _table("Accuracy on distorted images", "distortion", "as it is", "canonical")
    for row in distorted_rows(robustness):
        table.add_row(*row)
    table.caption = "canonical: each image is normalised before the network sees it"
    return table


def _out_of_distribution(robustness: Robustness) -> Table:
    title = "Images of no class with an output above 0.5"
    table = _table(title, "kind", "images", "as it is", "canonical")
    for row in out_of_distribution_rows(robustness):
        table.add_row(*row)
    return table


def _least_width(table: Table, console: Console) -> int:
    """Return the width below which a table can't be read."""
    unbounded = console.options.update(max_width=sys.maxsize)
    return Measurement.get(console, unbounded, table).minimum


def _table(title: str, first: str, *others: str | Text) -> Table:
    """Return an empty table whose columns but the first are numbers."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    table.add_column(first)
    for header in others:
        table.add_column(header, justify="right")
    return table
