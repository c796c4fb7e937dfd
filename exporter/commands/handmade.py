"""Write the network whose weights are set by hand."""

from pathlib import Path

import click

from exporter import network
from exporter.commands.common import PATH, WEIGHTS, clear_errors, data_option
from exporter.files import write_file
from exporter.hints import command, quoted
from exporter.study import handmade, network_svg
from exporter.training import mnist

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
@clear_errors()
def handmade_command(output: Path, page: Path | None, data: Path) -> None:
    """Write the network whose weights are set by hand.

    Nothing is trained: strokes, patterns of strokes and digits, each number with its reason. The
    file's examples are those of the network that ships. Only --page needs MNIST's test images, to
    measure both networks on them.
    """
    shipped = network.load(WEIGHTS)
    output.parent.mkdir(parents=True, exist_ok=True)
    network.save(
        output,
        handmade.build(),
        examples=shipped.examples,
        provenance=handmade.PROVENANCE,
        image_layout=shipped.image_layout,
    )
    click.echo(output)
    if page:
        write_page(page, shipped, data)
        click.echo(page)
    export = command(f"exporter export --weights {quoted(output)} --name handmade")
    click.echo(f"Export it with: {export}", err=True)


def write_page(path: Path, shipped: network.Saved, data: Path) -> None:
    """Write the page and its pictures."""
    # Here, because matplotlib takes long to import.
    from exporter.study import handmade_page

    images, labels = mnist.load(data, "test")
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "strokes.png", handmade_page.draw_strokes())
    write_file(folder / "patterns.png", handmade_page.draw_patterns())
    if shipped.examples is not None:
        at_work = network_svg.draw_network(handmade.build(), shipped.examples[SHOWN])
        write_file(folder / "at-work.svg", at_work.encode())
    text = handmade_page.write(folder.name, shipped.network, images, labels)
    write_file(path, text.encode())
