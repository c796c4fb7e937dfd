"""The command mlpserve predict: classifies picture files, and draws what the network saw."""

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click
from rich.console import Console

from mlpserve.client import Client
from mlpserve.command.options import with_client
from mlpserve.command.predict.answers import describe, show
from mlpserve.command.predict.asking import Picture, ask, explain
from mlpserve.command.predict.expected import Expected, NoImages, find_expected
from mlpserve.command.predict.files import open_picture, printable
from mlpserve.errors import MlpserveError
from mlpserve.pictures import Invert, PictureError, read_picture
from mlpserve.prediction import Prediction

_PICTURES_PER_CALL = 64


@click.command()
@click.argument("pictures", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--model", default="", help="The model's name. Default: the server's.")
@click.option(
    "--version",
    type=click.IntRange(min=0),
    default=0,
    help="The model's version. Default: the newest.",
)
@click.option("--hidden", is_flag=True, help="Show the activations of the hidden layers too.")
@click.option(
    "--canonicalize/--no-canonicalize",
    default=False,
    show_default=True,
    help="Have the server crop, scale and centre the ink, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per image, one a line.")
@click.option(
    "--invert",
    type=click.Choice([choice.value for choice in Invert]),
    default=Invert.AUTO.value,
    show_default=True,
    help="Whether the ink is dark; auto decides by what stands out from the paper.",
)
@click.option(
    "--side", type=click.IntRange(min=1), help="Rows and columns of images. Default: the model's."
)
@with_client
def predict(
    client: Client,
    *,
    pictures: tuple[str, ...],
    model: str,
    version: int,
    hidden: bool,
    canonicalize: bool,
    as_json: bool,
    invert: str,
    side: int | None,
) -> None:
    """Print the label of each IMAGE, its activation, and what the network saw.

    IMAGE is a picture file of any size and colour, or - for standard input. Its paper, lines and
    shadows are taken away, and its ink is laid out as the model's training images were. For a
    model whose layout isn't known, pictures are only made grey and resized.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names may hold letters that the terminal can't show.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    read = _Reader(client, model, version, side, Invert(invert))
    options = {
        "model": model,
        "version": version,
        "hidden_activations": hidden,
        "canonicalize": canonicalize,
    }
    n_answers = 0
    for names in _chunks(pictures):
        chunk = list(read(names))
        answers = ask(client, chunk, read.numbers, **options) if chunk else ()
        for answer in answers:
            if not isinstance(answer.outcome, str):
                _print(answer.pictures, answer.outcome, console, as_json=as_json)
                n_answers += len(answer.pictures)
            elif not n_answers and len(answer.pictures) == len(chunk):
                # Nothing suggests that others would fare better.
                raise click.ClickException(answer.outcome)
            else:
                for picture in answer.pictures:
                    _complain(picture.name, answer.outcome)
    if n_answers < len(pictures):
        sys.exit(1)


@dataclass(slots=True)
class _Reader:
    """Reads pictures for a model, whose images it asks for at the first that can be opened."""

    client: Client
    model: str
    version: int
    side: int | None
    invert: Invert
    expected: Expected | None = None

    def __call__(self, names: Iterable[str]) -> Iterator[Picture]:
        """Yield the pictures that can be read, and say on standard error why others can't."""
        for name in names:
            try:
                with open_picture(name) as file:
                    wanted = self.expected = self.expected or self.ask()
                    image = read_picture(file, wanted.shape, wanted.layout, self.invert)
                yield Picture(printable(name), image)
            except PictureError as error:
                _complain(printable(name), printable(str(error)))

    @property
    def numbers(self) -> tuple[float, float] | None:
        """What stands for black and white, None for pixels."""
        return None if self.expected is None else self.expected.numbers

    def ask(self) -> Expected:
        """Ask the server, and end the command when it doesn't know."""
        try:
            return find_expected(self.client.list_models(), self.model, self.version, self.side)
        except MlpserveError as error:
            raise click.ClickException(explain(error)) from error
        except NoImages as error:
            raise click.ClickException(printable(str(error))) from error


def _print(
    pictures: Sequence[Picture], prediction: Prediction, console: Console, *, as_json: bool
) -> None:
    for index, picture in enumerate(pictures):
        if as_json:
            click.echo(json.dumps(describe(picture, prediction, index)))
        else:
            show(picture, prediction, index, console)


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split the names, so that the first answers of many appear soon."""
    for start in range(0, len(names), _PICTURES_PER_CALL):
        yield names[start : start + _PICTURES_PER_CALL]


def _complain(name: str, reason: str) -> None:
    click.echo(f"Error: {name}: {reason}", err=True)
