"""Which format the results have, and which options contradict each other."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import click


class Format(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    NPY = "npy"


ENDINGS = {
    ".txt": Format.TEXT,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".csv": Format.CSV,
    ".npy": Format.NPY,
}
"""Formats by the ending of a file's name."""


def choose_format(
    chosen: str | None, output: Path | None, *, as_json: bool, has_hidden: bool
) -> Format:
    """Return the format that the options `--format`, `--output` and `--json` ask for.

    Raises UsageError when they contradict each other, or --hidden, or leave it open.
    """
    asked = {}
    if chosen is not None:
        asked[f"--format {chosen}"] = Format(chosen)
    if as_json:
        asked["--json"] = Format.JSON
    ending = "" if output is None else output.suffix.lower()
    if ending in ENDINGS:
        asked[f"--output {output}"] = ENDINGS[ending]
    if len(set(asked.values())) > 1:
        names = " and ".join(map(click.format_filename, asked))
        raise click.UsageError(f"{names} contradict each other; leave one out, or rename the file")
    if not asked and output is not None and not output.is_dir():
        raise click.UsageError(
            f"the name {click.format_filename(output)} doesn't show the format; give --format, or "
            f"a name that ends in {', '.join(ENDINGS)}"
        )
    form = next(iter(asked.values()), Format.TEXT)
    if has_hidden and form in (Format.CSV, Format.NPY):
        raise click.UsageError(
            f"{form} has no room for --hidden; leave it out, or give --format json"
        )
    if form is Format.NPY and output is None:
        raise click.UsageError("npy can only be written to a file; give --output FILE.npy")
    return form


def check_output(output: Path, form: Format, inputs: Sequence[str]) -> None:
    """Raise UsageError when a file can't be written, or is one of those that are read."""
    shown = click.format_filename(output)
    if output.is_dir():
        raise click.UsageError(f"--output {shown} is a folder; give the name of a file in it")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"the folder of --output {shown} does not exist; create it first")
    if not output.exists():
        return
    if any(_is_same(name, output) for name in inputs):
        raise click.UsageError(f"--output {shown} is also an input; give another name")
    if form is Format.NPY and not output.is_file():
        raise click.UsageError(
            f"--output {shown} is not a regular file, which npy needs; give another name"
        )


def _is_same(name: str, output: Path) -> bool:
    try:
        return Path(name).samefile(output)
    except (OSError, ValueError):
        # What can't be found is told when it is looked at.
        return False
