"""The command mlpserve: classifies picture files, draws what the network saw, watches servers."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.text import Text

from mlpserve import __version__
from mlpserve.client import DEFAULT_ADDRESS, Client
from mlpserve.command.drawing import draw
from mlpserve.command.options import with_client
from mlpserve.command.picture_files import MNIST_SIDE, Invert, PictureError, read_picture
from mlpserve.command.top import top
from mlpserve.errors import MlpserveError, Unavailable
from mlpserve.prediction import Prediction

STDIN = "-"
_PICTURES_PER_CALL = 64


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture file and the image made of it."""

    name: str
    image: npt.NDArray[np.float32]


@click.group()
@click.version_option(__version__, prog_name="mlpserve")
def mlpserve() -> None:
    """Classify pictures with a running mlpserve server, or watch what it does."""


mlpserve.add_command(top)


@mlpserve.command()
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
    "--canonicalize", is_flag=True, help="Have the server crop, scale and centre the ink first."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per image, one a line.")
@click.option(
    "--invert",
    type=click.Choice([choice.value for choice in Invert]),
    default=Invert.AUTO.value,
    show_default=True,
    help="Whether the ink is dark; auto decides by the border.",
)
@click.option(
    "--side",
    type=click.IntRange(min=1),
    default=MNIST_SIDE,
    show_default=True,
    help="Rows and columns of the model's images.",
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
    side: int,
) -> None:
    """Print the label of each IMAGE, its activation, and what the network saw.

    IMAGE is a picture file of any size and colour, or - for standard input. Pictures of another
    size than the model's are cropped, scaled and centred as MNIST's were.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names may hold letters that the terminal can't show.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    failed = False
    for names in _chunks(pictures):
        chunk = list(_read_all(names, Invert(invert), side))
        failed |= len(chunk) < len(names)
        if not chunk:
            continue
        prediction = _ask(
            client,
            chunk,
            model=model,
            version=version,
            hidden_activations=hidden,
            canonicalize=canonicalize,
        )
        for index, picture in enumerate(chunk):
            if as_json:
                click.echo(json.dumps(_describe(picture, prediction, index)))
            else:
                _show(picture, prediction, index, console)
    if failed:
        sys.exit(1)


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split the names, so that the first answers of many appear soon."""
    for start in range(0, len(names), _PICTURES_PER_CALL):
        yield names[start : start + _PICTURES_PER_CALL]


def _read_all(names: Sequence[str], invert: Invert, side: int) -> Iterator[Picture]:
    """Yield the pictures that can be read, and say on standard error why others can't."""
    for name in names:
        try:
            yield Picture(_printable(name), _read(name, invert, side))
        except PictureError as error:
            click.echo(f"Error: {_printable(name)}: {error}", err=True)


def _read(name: str, invert: Invert, side: int) -> npt.NDArray[np.float32]:
    if name == STDIN:
        # Pillow moves back and forth in a file, which a pipe can't.
        return read_picture(io.BytesIO(sys.stdin.buffer.read()), invert, side)
    try:
        with Path(name).open("rb") as file:
            return read_picture(file, invert, side)
    except OSError as error:
        raise PictureError((error.strerror or str(error)).lower()) from error


def _ask(client: Client, pictures: Sequence[Picture], **options: Any) -> Prediction:
    # As bytes, which models of other numbers than pixels refuse.
    levels = np.rint(255 * np.stack([picture.image for picture in pictures])).astype(np.uint8)
    try:
        return client.predict(levels, **options)
    except Unavailable as error:
        raise click.ClickException(
            f"{error}. Is a server running there? `make run` in mlpserve's repository starts one "
            f"at {DEFAULT_ADDRESS}; --address names another, --tls or --ca one that speaks TLS"
        ) from error
    except (MlpserveError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _describe(picture: Picture, prediction: Prediction, index: int) -> dict[str, Any]:
    """Return what --json prints of one image."""
    label = int(prediction.labels[index])
    activations = prediction.activations[index]
    described = {
        "image": picture.name,
        "label": label,
        "name": prediction.label_names[label],
        "activation": _shorten(activations[label]),
        "activations": dict(zip(prediction.label_names, map(_shorten, activations), strict=True)),
        "hidden_layers": [list(map(_shorten, layer[index])) for layer in prediction.hidden_layers],
        "model": prediction.model,
        "version": prediction.version,
    }
    if (done := prediction.canonicalization) is not None:
        described["canonicalization"] = {
            "inverted": bool(done.inverted[index]),
            "scales": list(map(_shorten, done.scales[index])),
            "shifts": list(map(_shorten, done.shifts[index])),
        }
    return described


def _show(picture: Picture, prediction: Prediction, index: int, console: Console) -> None:
    """Print the answer for people: the label, the runner-up and what the network saw."""
    activations = prediction.activations[index]
    best = int(prediction.labels[index])
    answer = Text.assemble(
        f"{picture.name}: ",
        (prediction.label_names[best], "bold"),
        f"  activation {activations[best]:.3f}",
    )
    others = [label for label in np.argsort(-activations, kind="stable") if label != best]
    if others:
        runner_up = others[0]
        answer.append(
            f", then {prediction.label_names[runner_up]} with {activations[runner_up]:.3f}"
        )
    answer.append(f"  ({prediction.model}, version {prediction.version})", "dim")
    console.print(answer)
    console.print(draw(picture.image, console))
    if (done := prediction.canonicalization) is not None:
        (height, width), (down, right) = done.scales[index], done.shifts[index]
        inverted = "inverted, " if done.inverted[index] else ""
        text = f"normalised: {inverted}height x {height:.2f}, width x {width:.2f}"
        console.print(Text(f"{text}, moved {down:+.1f} down and {right:+.1f} right"))
    for number, layer in enumerate(prediction.hidden_layers, start=1):
        numbers = " ".join(f"{activation:.2f}" for activation in layer[index])
        console.print(Text(f"hidden layer {number}: {numbers}"))


def _shorten(activation: np.float32) -> float:
    """Return a float32 as the shortest float that says as much."""
    return float(str(activation))


def _printable(name: str) -> str:
    """Return a file's name without terminal control characters."""
    shown = click.format_filename(name)
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown
    )
