"""Draw a network at work."""

from pathlib import Path

import click

from exporter import network
from exporter.commands.common import PATH, clear_errors, palette_option, weights_option
from exporter.export import image_layout
from exporter.files import write_file
from exporter.network.network import Batch
from exporter.network.weights_file import Saved
from exporter.study import drawing
from exporter.study.palette import Palette

EXAMPLE = 3
"""Of the network that ships: a 3, as in the film."""


@click.command("draw")
@weights_option
@click.option(
    "--example",
    type=click.IntRange(min=0),
    show_default=f"{EXAMPLE}, or the last one",
    help="Index of the example in the weights file that the network looks at.",
)
@click.option(
    "--image",
    "picture",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A picture of your own (PNG, JPEG, ...) to look at instead of an example: dark ink on "
    "light paper is inverted, and the ink laid out as the network's training images were.",
)
@click.option("--output", type=PATH, default=Path("network.svg"), help="File to write.")
@palette_option
@clear_errors()
def draw_command(
    weights: Path, example: int | None, picture: Path | None, output: Path, palette: Palette
) -> None:
    """Draw a network looking at an image, as SVG.

    Left is the image, then a circle for each neuron, as bright as it is active. A line carries
    activation times weight: it adds to the neuron at its end or, dashed, takes away from it.
    The strongest lines are drawn. Hidden neurons have the names that the weights file gives them as
    names1, names2, ...: arrays of a text for each neuron of the layer.
    """
    if picture and example is not None:
        raise click.UsageError("--image and --example each choose what the network looks at")
    saved = network.load(weights)
    layout = image_layout.of_weights(saved)
    if picture:
        # Here, because it takes long to import.
        from exporter.study.drawing.picture import read_picture

        read = read_picture(picture, saved.network, layout)
        image = read.image
        click.echo(f"{picture}: {', '.join(read.changes)}", err=True)
    else:
        image = choose_example(weights, saved, example)
    drawn = drawing.draw_network(
        saved.network, image, layout=layout, names=saved.neuron_names, palette=palette
    )
    write_file(output, drawn.encode())
    click.echo(output)


def choose_example(path: Path, saved: Saved, index: int | None) -> Batch:
    """Return an example (n_inputs,) of a weights file; raises click.BadParameter."""
    n_examples = 0 if saved.examples is None else len(saved.examples)
    if saved.examples is None or (index is not None and index >= n_examples):
        remedy = f"give one from 0 to {n_examples - 1}, or " if n_examples else "give "
        raise click.BadParameter(
            f"{path} has {n_examples} examples; {remedy}a picture with --image",
            param_hint="--example",
        )
    chosen: Batch = saved.examples[min(EXAMPLE, n_examples - 1) if index is None else index]
    return chosen
