"""The command mlpserve: classifies pictures, watches servers, and loads them."""

import click

from mlpserve import __version__
from mlpserve.command.extras import explain_extra
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


@click.group()
@click.version_option(__version__, prog_name="mlpserve")
def mlpserve() -> None:
    """Classify pictures with a running mlpserve server, watch what it does, or load it."""


mlpserve.add_command(_find_bench())
mlpserve.add_command(predict)
mlpserve.add_command(top)
