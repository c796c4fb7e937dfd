"""Measure a network on MNIST."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import track

import canonical
from exporter.commands.common import (
    PATH,
    clear_errors,
    data_option,
    load_pixels,
    palette_option,
    weights_option,
)
from exporter.export import image_layout
from exporter.files import write_file
from exporter.network.network import Batch
from exporter.network.weights_file import Saved
from exporter.study import evaluation, records, report, robustness
from exporter.study.distortions import DISTORTIONS
from exporter.study.evaluation import Evaluation
from exporter.study.palette import Palette
from exporter.study.robustness import Robustness
from exporter.training import mnist
from exporter.training.mnist import Labels
from exporter.training.options import TrainingOptions

Split = Literal["train", "validation", "test"]


@click.command("evaluate")
@weights_option
@data_option
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    help="Images to measure on; validation is the end of the training set, train the rest.",
)
@click.option(
    "--distortions/--no-distortions",
    default=True,
    help="Measure distorted and out-of-distribution images too, which takes the most time.",
)
@click.option("--json", "json_path", type=PATH, metavar="FILE", help="Write all figures as JSON.")
@click.option("--pictures", type=PATH, metavar="FOLDER", help="Draw the figures as PNG files.")
@click.option(
    "--record",
    is_flag=True,
    help="Store the figures of the test images in the weights file; exports include them.",
)
@palette_option
@clear_errors()
def evaluate_command(
    weights: Path,
    data: Path,
    split: Split,
    distortions: bool,
    json_path: Path | None,
    pictures: Path | None,
    record: bool,
    palette: Palette,
) -> None:
    """Measure a network on MNIST.

    Prints its accuracy per class and overall, the confusion matrix, its calibration and its worst
    mistakes; then its accuracy on distorted images, as they are and in canonical mode, and how
    often it answers out-of-distribution images.
    """
    if record and (split != "test" or not distortions):
        raise click.UsageError(
            "--record keeps the whole evaluation on the test images: leave out --split and "
            "--no-distortions"
        )
    saved = load_pixels(weights)
    images, labels = load(data, split, saved)
    files: mnist.Split = "test" if split == "test" else "train"
    measured = replace(
        evaluation.measure(saved.network, images, labels, split), data=mnist.identify(data, files)
    )
    console = Console()
    if distortions:
        try:
            measured = replace(measured, robustness=measure_robustness(saved, images, labels))
        except canonical.NotSquare:
            click.echo(
                f"No distortions: images of {images.shape[1]} pixels are not square.", err=True
            )
    report.show(measured, console)
    if json_path:
        content = json.dumps(records.encode(measured), indent=2, ensure_ascii=False)
        write_file(json_path, f"{content}\n".encode())
    if pictures:
        with Console(stderr=True).status("drawing"):
            draw(pictures, measured, images, palette)
    if record:
        records.store(weights, measured)


def load(folder: Path, split: Split, saved: Saved) -> tuple[Batch, Labels]:
    """Return the images (N, P) and labels (N,) of a split.

    As many images at the end of the training set are for validation as the network's provenance
    says. Raises MnistError when a file can't be used, EvaluationError when no image is left.
    """
    if split == "test":
        return mnist.load(folder, "test")
    images, labels = mnist.load(folder, "train")
    n_validation = saved.provenance.get("validation_images", TrainingOptions().n_validation)
    if not isinstance(n_validation, int) or not 0 < n_validation < len(images):
        raise evaluation.EvaluationError(
            f"validation_images: {n_validation!r} in the provenance, wanted 1 to "
            f"{len(images) - 1}, since {folder} has {len(images)} training images"
        )
    n_train = len(images) - n_validation
    chosen = slice(n_train) if split == "train" else slice(n_train, None)
    return images[chosen], labels[chosen]


def draw(folder: Path, measured: Evaluation, images: Batch, palette: Palette) -> None:
    """Write the pictures of an evaluation on images (N, P)."""
    # Here, because matplotlib takes long to import.
    from exporter.study import charts

    for name, picture in charts.draw(measured, images, palette).items():
        write_file(folder / name, picture)


def measure_robustness(saved: Saved, images: Batch, labels: Labels) -> Robustness:
    """Measure distorted images and images of no class behind a progress bar."""
    console = Console(stderr=True)
    measured = saved.network, images, labels, image_layout.of_weights(saved)
    rows = track(
        robustness.distorted(*measured),
        description="distortions",
        total=len(DISTORTIONS),
        console=console,
        transient=True,
        # It would leave an empty line in a file.
        disable=not console.is_terminal,
    )
    return Robustness(tuple(rows), tuple(robustness.out_of_distribution(*measured)))
