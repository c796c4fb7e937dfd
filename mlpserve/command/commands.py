"""The command mlpserve: classifies pictures, watches servers, and loads them."""

from pathlib import Path

import click

from mlpserve import __version__
from mlpserve.command.extras import explain_extra
from mlpserve.command.messages import printable
from mlpserve.command.predict.command import predict
from mlpserve.command.top import top


def _find_bench() -> click.Command:
    try:
        from mlpserve.command.bench.command import bench
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("hdrh", "pyhdrh"):
            raise
        return explain_extra("bench", "hdrhistogram")
    return bench


class _Commands(click.Group):
    """A group that tells those who name a file alone which command takes it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; raises UsageError."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if not Path(args[0]).exists():
                raise
            remedy = f"To classify it, run mlpserve predict {printable(args[0])}"
            raise click.UsageError(f"{error.message} {remedy}", ctx) from error


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="mlpserve")
def mlpserve() -> None:
    """Classify pictures with a running mlpserve server, watch what it does, or load it."""


mlpserve.add_command(_find_bench())
mlpserve.add_command(predict)
mlpserve.add_command(top)
