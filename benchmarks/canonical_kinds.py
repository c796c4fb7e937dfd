"""Prints how many digits are read right on each kind of background, plain and in canonical mode."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from canonical import canonicalize
from exporter import network
from exporter.commands.common import WEIGHTS, clear_errors, data_option
from exporter.study.distortions import DISTORTIONS, SURROUNDINGS
from exporter.training import mnist
from harness.load import print_table


@click.command()
@data_option
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "test"]))
@click.option(
    "--images", default=10_000, show_default=True, type=click.IntRange(min=1), help="How many."
)
@clear_errors()
def main(data: Path, split: mnist.Split, images: int) -> None:
    """Print the share of the first MNIST images that the shipped network reads right, by kind."""
    shipped = network.load(WEIGHTS).network
    batch, labels = mnist.load(data, split)
    batch, labels = batch[:images], labels[:images]

    clean = shipped.accuracy(batch, labels)
    rows = []
    kinds = DISTORTIONS | SURROUNDINGS
    for name in track(kinds, "Kinds", console=Console(stderr=True)):
        shown = kinds[name](batch)
        plain = shipped.accuracy(shown, labels)
        canonical = shipped.accuracy(canonicalize(shown).batch, labels)
        rows.append((name, f"{plain:.2%}", f"{canonical:.2%}", f"{canonical / clean:.3f}"))
    print_table(("kind", "plain", "canonical", "of clean"), rows)


if __name__ == "__main__":
    main()
