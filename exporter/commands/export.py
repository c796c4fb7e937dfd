"""Export a weights file to ONNX."""

import contextlib
from pathlib import Path

import click

from exporter import network
from exporter.commands.common import PATH, clear_errors, input_range_option, weights_option
from exporter.export import graph, publishing
from modelfile.input_range import InputRange


@click.command("export")
@weights_option
@click.option(
    "--repository",
    type=PATH,
    default=Path("models"),
    help="Folder of models that the server reads; created if missing.",
)
@click.option("--name", default="digits", help="Name of the model.")
@click.option("--version", type=int, help="Version to publish.  [default: the next one]")
@click.option(
    "--unless-published", is_flag=True, help="Do nothing when the model has a version already."
)
@input_range_option
@clear_errors()
def export_command(
    weights: Path,
    repository: Path,
    name: str,
    version: int | None,
    unless_published: bool,
    input_range: InputRange | None,
) -> None:
    """Export a weights file to ONNX.

    Writes REPOSITORY/NAME/VERSION/model.onnx and prints its path.
    The version is published atomically; existing versions are never changed.
    """
    if unless_published and (repository / name).is_dir():
        with contextlib.suppress(publishing.RepositoryError):
            click.echo(publishing.find_model(repository / name))
            return
    model = graph.build_saved(network.load(weights, input_range))
    click.echo(publishing.publish(model, repository, name, version))
    click.echo(f"Serve it with: python -m server --repository {repository}", err=True)
