"""The command mlpserve: classifies picture files, and watches servers."""

import click

from mlpserve import __version__
from mlpserve.command.predict.command import predict
from mlpserve.command.top import top


@click.group()
@click.version_option(__version__, prog_name="mlpserve")
def mlpserve() -> None:
    """Classify pictures with a running mlpserve server, or watch what it does."""


mlpserve.add_command(predict)
mlpserve.add_command(top)
