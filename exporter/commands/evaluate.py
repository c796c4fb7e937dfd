"""Measure a network on MNIST."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter import evaluation, mnist, network, origin
from exporter.commands.common import clear_errors, data_option, weights_option


@click.command("evaluate")
@weights_option
@data_option
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True)
@click.option(
    "--record",
    is_flag=True,
    help="Write the test accuracy into the weights file; exports carry it on.",
)
@clear_errors()
def evaluate_command(weights: Path, data: Path, split: mnist.Split, record: bool) -> None:
    """Measure a network's accuracy on MNIST.

    Prints a table of the classes, and the accuracy over all with its standard error.
    """
    if record and split != "test":
        raise click.UsageError("--record keeps the accuracy on the test images: add --split test")
    saved = network.load(weights)
    measured = evaluation.accuracy(saved.network, *mnist.load(data, split))
    table = Table("label", "right", "images", "accuracy")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = zip(
        saved.network.labels, measured.correct, measured.total, measured.per_class, strict=True
    )
    for label, correct, total, share in rows:
        table.add_row(Text(label), f"{correct:,}", f"{total:,}", f"{share:.2%}" if total else "-")
    table.add_section()
    table.add_row(
        "all", f"{sum(measured.correct):,}", f"{measured.n_images:,}", f"{measured.overall:.2%}"
    )
    console = Console()
    console.print(table)
    console.print(
        f"Accuracy on the {split} images: {measured.overall:.2%} "
        f"(standard error {measured.standard_error:.2%})",
        highlight=False,
    )
    if record:
        origin.record_test(weights, measured)
