"""Look at the versions of a repository, take some out, and put them back."""

from datetime import UTC, datetime
from pathlib import Path

import click

from exporter.commands.common import PATH, clear_errors
from exporter.errors import ExporterError
from exporter.export import graph, retiring
from exporter.export.publishing import find_versions
from exporter.export.retiring import Entry
from exporter.study import records, report

COLUMNS = ("MODEL", "VERSION", "STATE", "SIZE", "ACCURACY", "PUBLISHED")

repository_option = click.option(
    "--repository",
    type=PATH,
    default=Path("models"),
    help="Folder of models that the server reads.",
)


@click.command("list")
@repository_option
@clear_errors()
def list_command(repository: Path) -> None:
    """List the versions of all models.

    ACCURACY is that on the test images, where `evaluate --record` has measured it. Retired versions
    are not served until `restore` puts them back.
    """
    rows = [COLUMNS, *(_describe(entry) for entry in retiring.list_entries(repository))]
    if len(rows) == 1:
        click.echo(f"{repository} holds no model; publish one with `export`", err=True)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@click.command("retire")
@click.argument("name", metavar="MODEL")
@click.option("--version", metavar="N|newest", help="Version to retire.  [default: all]")
@click.option("--last", is_flag=True, help="Retire even the only model of the repository.")
@repository_option
@clear_errors()
def retire_command(name: str, version: str | None, last: bool, repository: Path) -> None:
    """Stop serving a version, or a whole model.

    Servers that watch the repository notice within seconds, and calls in progress finish. The
    newest of the versions that are left takes the place of one that is retired, so that
    `--version newest` goes back to the previous version.

    Files are kept in REPOSITORY/.retired, from where `restore` puts them back; delete them there to
    free the space. The number of a retired version is not given to another.
    """
    retired = retiring.retire(
        repository, name, _read_version(version, repository / name), last=last
    )
    left = find_versions(repository / name)
    after = f"version {left[-1]} is the newest now" if left else "the model is no longer served"
    click.echo(f"retired {name}, version {', '.join(map(str, retired))}; {after}")


@click.command("restore")
@click.argument("name", metavar="MODEL")
@click.option("--version", type=int, help="Version to restore.  [default: the newest retired one]")
@repository_option
@clear_errors()
def restore_command(name: str, version: int | None, repository: Path) -> None:
    """Put back a version that was retired."""
    restored = retiring.restore(repository, name, version)
    newest = find_versions(repository / name)[-1]
    click.echo(f"restored {name}, version {restored}; version {newest} is the newest now")


def _read_version(text: str | None, folder: Path) -> int | None:
    """Return the version that --version means."""
    if text is None:
        return None
    if text == "newest":
        # A model that has none is refused later, with the names of those there are.
        return max(find_versions(folder), default=0)
    if not text.isdecimal():
        raise click.UsageError(f"--version: {text!r} is neither a number nor `newest`")
    return int(text)


def _describe(entry: Entry) -> tuple[str, ...]:
    status = entry.path.stat()
    state = "retired" if entry.is_retired else "newest" if entry.is_newest else "older"
    published = datetime.fromtimestamp(status.st_mtime, UTC)
    return (
        entry.name,
        str(entry.version),
        state,
        f"{status.st_size / 1024:,.0f} KiB",
        _accuracy(entry.path),
        f"{published:%Y-%m-%d %H:%M} UTC",
    )


def _accuracy(path: Path) -> str:
    """Return the accuracy that a model carries, as text, or that no server takes it."""
    try:
        described = graph.describe(path, graph.read(path))
        if described.fault or not described.weights_match:
            return "fails its checks"
        if described.evaluation is None:
            return "not measured"
        return report.percent(records.decode(described.evaluation).accuracy.overall)
    except ExporterError:
        return "fails its checks"
