"""The command mlpserve bench compare: which differences between two results are beyond chance."""

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from mlpserve.bench.comparing.differences import TooShort, compare, describe_doubts
from mlpserve.bench.comparing.report import draw_differences
from mlpserve.bench.encoding import from_json
from mlpserve.bench.result import Result
from mlpserve.terminal.tables import make_console

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("compare")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the resampling: the same seed gives the same intervals.",
)
def compare_results(a: Path, b: Path, seed: int) -> None:
    """Compare two results of mlpserve bench --json.

    For the rate of answers and each quantile of latency from when calls were due, prints how many
    times as large B's is as A's, with a 95% interval from resampling the runs' seconds in blocks.
    Runs of 30 seconds or more tell differences that matter. Compare two runs of the same server
    first: they show how much is not the server's doing.
    """
    before, after = _read(a), _read(b)
    try:
        differences = compare(before, after, seed=seed)
    except TooShort as error:
        raise click.ClickException(str(error)) from error
    console = make_console()
    console.print(Text.assemble("A ", (str(a), "bold"), "\nB ", (str(b), "bold"), "\n"))
    console.print(draw_differences(differences))
    for doubt in describe_doubts(before, after):
        console.print(Text(f"! {doubt}", "yellow"))


class WithCompare(click.Command):
    """A command whose first word `compare` is a command of its own, and else an address."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of whichever of both is meant."""
        if args[:1] == [compare_results.name]:
            name = f"{info_name} {compare_results.name}"
            return compare_results.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def _read(file: Path) -> Result:
    try:
        return from_json(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file}: {error}") from error
