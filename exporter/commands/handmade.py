"""Write the network whose weights are set by hand."""

from pathlib import Path

import click

from exporter import network
from exporter.commands.common import PATH, WEIGHTS, clear_errors, data_option, palette_option
from exporter.files import write_file
from exporter.study import drawing, handmade
from exporter.study.palette import Palette
from exporter.training import mnist
from modelfile.hints import command, quoted

SHOWN = 3
"""Which of the examples the page shows the network at: the 3."""


@click.command("handmade")
@click.option(
    "--output", type=PATH, default=Path("checkpoints/handmade.npz"), help="Weights file to write."
)
@click.option(
    "--page",
    type=PATH,
    metavar="FILE.md",
    help="Also write the page that explains each number, with its pictures in a folder.",
)
@data_option
@palette_option
@clear_errors()
def handmade_command(output: Path, page: Path | None, data: Path, palette: Palette) -> None:
    """Write the network whose weights are set by hand.

    Nothing is trained: strokes, patterns of strokes and digits, each number with its reason. The
    file's examples are those of the network that ships. Only --page needs MNIST's test images, to
    measure both networks on them.
    """
    shipped = network.load(WEIGHTS)
    network.save(
        output,
        handmade.build(),
        examples=shipped.examples,
        provenance=handmade.PROVENANCE,
        image_layout=shipped.image_layout,
        neuron_names=handmade.NEURON_NAMES,
    )
    click.echo(output)
    if page:
        write_page(page, shipped, data, palette)
        click.echo(page)
    export = command(f"exporter export --weights {quoted(output)} --name handmade")
    click.echo(f"Export it with: {export}", err=True)


def write_page(path: Path, shipped: network.Saved, data: Path, palette: Palette) -> None:
    """Write the page and its pictures."""
    # Here, because matplotlib takes long to import.
    from exporter.study import handmade_page

    images, labels = mnist.load(data, "test")
    folder = path.with_suffix("")
    write_file(folder / "strokes.png", handmade_page.draw_strokes(palette))
    write_file(folder / "patterns.png", handmade_page.draw_patterns(palette))
    if shipped.examples is not None:
        at_work = drawing.draw_network(
            handmade.build(),
            shipped.examples[SHOWN],
            layout=shipped.image_layout,
            names=handmade.NEURON_NAMES,
            palette=palette,
        )
        write_file(folder / "at-work.svg", at_work.encode())
    text = handmade_page.write(folder.name, shipped.network, images, labels, palette)
    write_file(path, text.encode())
