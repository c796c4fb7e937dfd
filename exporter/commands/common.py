"""What the commands share: their options, and errors as one clear line."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from exporter import network
from exporter.errors import ExporterError
from exporter.network.weights_file import Saved, WeightsError
from exporter.study.palette import PALETTES, Palette
from exporter.training import mnist
from modelfile.input_range import PIXELS, InputRange, parse
from modelfile.texts import printable

WEIGHTS = Path(__file__).parent.parent / "weights" / "digits.npz"
"""The network that ships."""

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it: 128 + SIGINT."""

PATH = click.Path(path_type=Path, readable=False)
"""What can't be read is told by those who read it, with the remedy."""


def read_input_range(
    _: click.Context, parameter: click.Parameter, text: str | None
) -> InputRange | None:
    """Return the range that a text such as -1,1 stands for."""
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from error


def read_names(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Return the names in a text such as relu,tanh."""
    return None if text is None else tuple(name.strip() for name in text.split(","))


def describe_layers(sizes: Sequence[int], activations: Sequence[str]) -> str:
    """Return the neurons of each layer and their activation: 784 > 16 relu > 10 softmax."""
    named = zip(sizes[1:], activations, strict=True)
    return " > ".join([str(sizes[0]), *(f"{size} {activation}" for size, activation in named)])


def load_pixels(path: Path) -> Saved:
    """Read a weights file whose network takes pixels; raises WeightsError."""
    saved = network.load(path)
    if saved.network.input_range != PIXELS:
        raise WeightsError(
            f"{path}: its network takes {saved.network.input_range.describe('numbers')}; this "
            f"command is for images, whose pixels are {PIXELS.describe('numbers')}"
        )
    return saved


def read_palette(_: click.Context, __: click.Parameter, name: str) -> Palette:
    """Return the palette of a name."""
    return PALETTES[name]


data_option = click.option(
    "--data",
    type=PATH,
    default=mnist.FOLDER,
    envvar="MLPSERVE_MNIST",
    show_envvar=True,
    help="Folder with MNIST's files.",
)
weights_option = click.option(
    "--weights",
    type=PATH,
    default=WEIGHTS,
    show_default="the network that ships",
    help="Weights file (.npz), or - for the standard input.",
)
palette_option = click.option(
    "--palette",
    type=click.Choice(list(PALETTES)),
    default="safe",
    callback=read_palette,
    help="Colours of what is above 0 and below: blue and orange, which colour-blind readers can "
    "tell apart (safe), or green and red as in the film.",
)
input_range_option = click.option(
    "--input-range",
    metavar="LOW,HIGH|finite",
    callback=read_input_range,
    help="Numbers that the network takes; finite: any.  [default: as in the file, else 0,1]",
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
        raise click.ClickException(printable(f"{where}{error.strerror or error}")) from error
