"""What the commands share: their options, and errors as one clear line."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from exporter.errors import ExporterError

WEIGHTS = Path(__file__).parent.parent / "weights" / "digits.npz"
"""The network that ships."""

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it: 128 + SIGINT."""

PATH = click.Path(path_type=Path)

data_option = click.option(
    "--data",
    type=PATH,
    default=Path("data/mnist"),
    envvar="MLPSERVE_MNIST",
    show_envvar=True,
    help="Folder with MNIST's files.",
)
weights_option = click.option(
    "--weights",
    type=PATH,
    default=WEIGHTS,
    show_default="the network that ships",
    help="Weights file (.npz).",
)


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Turn what a user can mend into one line and exit code 1."""
    try:
        yield
    except ExporterError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error
