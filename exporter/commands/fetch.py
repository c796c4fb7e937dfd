"""Download MNIST."""

from pathlib import Path

import click

from exporter.commands.common import clear_errors, data_option
from exporter.training import download


@click.command("fetch")
@data_option
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    default=download.MIRRORS,
    help="URL of a folder with the files; repeat it to try several in turn.",
)
@clear_errors()
def fetch_command(data: Path, mirrors: tuple[str, ...]) -> None:
    """Download MNIST's four files (11 MB) and check them.

    Files that are already correct are kept; interrupted downloads are resumed.
    """
    for path in download.fetch(data, mirrors=mirrors):
        click.echo(path)
