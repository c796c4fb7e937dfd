"""Export a weights file to ONNX."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import click

from exporter import network
from exporter.commands.common import (
    PATH,
    clear_errors,
    describe_layers,
    input_range_option,
    read_names,
    weights_option,
)
from exporter.export import graph, interface, publishing
from exporter.export.publishing import find_versions
from exporter.network.weights_file import Saved
from modelfile.activations import ACTIVATIONS
from modelfile.hints import command, quoted
from modelfile.input_range import InputRange
from modelfile.texts import printable


@click.command("export")
@weights_option
@click.option(
    "--repository",
    type=PATH,
    default=Path("models"),
    help="Folder of models that the server reads; created if missing.",
)
@click.option("--name", help="Name of the model.  [default: the weights file's]")
@click.option("--version", type=int, help="Version to publish.  [default: the next one]")
@click.option(
    "--unless-published",
    is_flag=True,
    help="Do nothing when the model has a version already, or had one that was retired.",
)
@click.option(
    "--incompatible",
    is_flag=True,
    help="Publish a version whose inputs or labels differ from those that callers of NAME know.",
)
@click.option(
    "--activations",
    callback=read_names,
    metavar="NAME,NAME...",
    help="Of each layer, or of the hidden layers and the output: "
    f"{', '.join(ACTIVATIONS)}.  [default: as in the file]",
)
@input_range_option
@clear_errors()
def export_command(
    weights: Path,
    repository: Path,
    name: str | None,
    version: int | None,
    unless_published: bool,
    incompatible: bool,
    activations: Sequence[str] | None,
    input_range: InputRange | None,
) -> None:
    """Export a weights file to ONNX.

    Writes REPOSITORY/NAME/VERSION/model.onnx and prints its path.
    The version is published atomically; existing versions are never changed.
    """
    name = name or publishing.name_of(weights)
    if not name:
        raise click.UsageError(
            f"--name: {printable(weights.name)!r} gives none with a letter or digit; add one"
        )
    publishing.check_name(name)
    if unless_published and (repository / name).is_dir():
        with contextlib.suppress(publishing.RepositoryError):
            click.echo(publishing.find_model(repository / name))
            return
    if unless_published and find_versions(publishing.retired_folder(repository / name)):
        click.echo(f"{name} is retired, so nothing is exported; `restore` puts it back", err=True)
        return
    saved = network.load(weights, input_range, activations)
    model = graph.build_saved(saved)
    if not incompatible:
        interface.check(model, repository, name)
    published = publishing.publish(model, repository, name, version)
    describe(saved)
    click.echo(published)
    serve = command(f"server --repository {quoted(repository)}")
    click.echo(f"Serve it with: {serve}", err=True)


def describe(saved: Saved) -> None:
    """Print on standard error what is exported."""
    layers = [layer.activation for layer in saved.network.layers]
    numbers = saved.network.input_range.describe("numbers")
    click.echo(f"Layers: {describe_layers(saved.network.sizes, layers)}", err=True)
    click.echo(f"Inputs: {saved.network.n_inputs} {numbers}", err=True)
    click.echo(f"Labels: {interface.list_labels(saved.network.labels)}", err=True)
    for note in saved.notes:
        click.echo(note, err=True)
