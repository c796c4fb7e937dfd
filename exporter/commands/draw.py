"""Draw a network at work."""

from pathlib import Path

import click

from exporter.commands.common import PATH, clear_errors, load_pixels, weights_option
from exporter.files import write_file
from exporter.study import network_svg


@click.command("draw")
@weights_option
@click.option(
    "--example",
    type=click.IntRange(min=0),
    default=0,
    help="Index of the example in the weights file that the network looks at.",
)
@click.option("--output", type=PATH, default=Path("network.svg"), help="File to write.")
@clear_errors()
def draw_command(weights: Path, example: int, output: Path) -> None:
    """Draw a network looking at an image, as SVG."""
    saved = load_pixels(weights)
    n_examples = 0 if saved.examples is None else len(saved.examples)
    if saved.examples is None or example >= n_examples:
        raise click.BadParameter(f"{weights} has {n_examples} examples", param_hint="--example")
    drawing = network_svg.draw_network(saved.network, saved.examples[example])
    write_file(output, drawing.encode())
    click.echo(output)
