"""The command mlpserve predict: classifies pictures and arrays of images."""

import io
import sys
from pathlib import Path

import click

from mlpserve.client import Client
from mlpserve.command.options import WholeNumber, model_option, version_option, with_client
from mlpserve.command.predict.asking import Asker
from mlpserve.command.predict.choices import Format, check_output, choose_format
from mlpserve.command.predict.files import STDIN
from mlpserve.command.predict.inputs import Array, check, count_images, look_at
from mlpserve.command.predict.interrupts import Interrupts
from mlpserve.command.predict.outputs.file import OutputFile
from mlpserve.command.predict.outputs.lines import CsvOutput, JsonOutput
from mlpserve.command.predict.outputs.npy import NpyOutput
from mlpserve.command.predict.outputs.results import Output, Results, explain_output
from mlpserve.command.predict.outputs.text import TextOutput
from mlpserve.command.predict.parts import Reader
from mlpserve.command.predict.running import run
from mlpserve.command.predict.target import Target
from mlpserve.command.predict.timed import tell_timing
from mlpserve.pictures import Invert

_HELP = """Print the label of each IMAGE, its activation, and what the network saw.

IMAGE is one of these:

\b
  - a picture file of any size and colour, or - for standard input
  - a folder: its pictures and those of its subfolders, by name, without
    hidden ones and what links to folders lead to
  - an .npy file of floats, uint8 or bool: (N, pixels), (N, rows, columns)
    or one image
  - an IDX file of images, such as MNIST's, gzipped or not

Of pictures, paper, lines and shadows are taken away, and the ink is laid out as the model's
training images were. For a model whose layout isn't known, pictures are only made grey and
resized. Arrays are sent as they are.

Any number of images takes little memory. One that can't be read or is refused is named on
standard error, has a row that says so, and makes the exit code 1. Ctrl-C leaves whole rows.
"""


@click.command(help=_HELP)
@click.argument("inputs", metavar="IMAGE...", nargs=-1, required=True)
@model_option
@version_option
@click.option("--hidden", is_flag=True, help="Show the activations of the hidden layers too.")
@click.option(
    "--canonicalize/--no-canonicalize",
    default=False,
    show_default=True,
    help="Have the server crop, scale and centre the ink as well.",
)
@click.option(
    "--format",
    "chosen",
    type=click.Choice([form.value for form in Format]),
    help="How results are written. Default: as --output ends, or text.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File for the results, replaced once all are there; FILE.part until then.",
    metavar="FILE",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Like --format json, but without lines for images that have no answer.",
)
@click.option(
    "--invert",
    type=click.Choice([choice.value for choice in Invert]),
    default=Invert.AUTO.value,
    show_default=True,
    help="Whether the ink of pictures is dark; auto decides by what stands out from the paper.",
)
@click.option(
    "--side",
    type=WholeNumber(1, "give the rows of the model's images, such as 28, or leave it out"),
    help="Rows and columns of pictures' images, which are as many. Default: the model's.",
)
@click.option(
    "--timing", is_flag=True, help="Report on standard error where the server's time went."
)
@with_client
def predict(
    client: Client,
    *,
    inputs: tuple[str, ...],
    model: str,
    version: int,
    hidden: bool,
    canonicalize: bool,
    chosen: str | None,
    output: Path | None,
    as_json: bool,
    invert: str,
    side: int | None,
    timing: bool,
) -> None:
    """Classify images, and write what becomes of each."""
    form = choose_format(chosen, output, as_json=as_json, has_hidden=hidden)
    if output is not None:
        check_output(output, form, inputs)
    if inputs.count(STDIN) > 1:
        raise click.UsageError(f"{STDIN} stands for standard input, which can be read only once")
    entries = [look_at(name) for name in inputs]
    if all(isinstance(entry, Array) for entry in entries):
        for option, is_given in (("--side", side is not None), ("--invert", invert != Invert.AUTO)):
            if is_given:
                raise click.UsageError(
                    f"{option} is for pictures, and arrays are sent as they are; leave it out, and "
                    "prepare the arrays as the model's images are"
                )
    target = Target(client, model, version, side)
    entries = check(entries, target)
    options = {
        "model": model,
        "version": version,
        "hidden_activations": hidden,
        "canonicalize": canonicalize,
        "progress": False,
        "timing": timing,
    }
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names may hold letters that the terminal can't show.
        sys.stdout.reconfigure(errors="backslashreplace")
    interrupts = Interrupts()
    with interrupts.catch():
        written = _make_output(form, target, is_file=output is not None, has_failures=not as_json)
        parts = Reader(target, Invert(invert)).read(entries)
        outcomes = Asker(client, options).ask_all(parts)
        run(
            tell_timing(outcomes) if timing else outcomes,
            Results(written, _create(output), interrupts),
            lambda: count_images(entries, target),
            has_one_input=len(inputs) == 1,
        )


def _make_output(form: Format, target: Target, *, is_file: bool, has_failures: bool) -> Output:
    match form:
        case Format.TEXT:
            return TextOutput.for_file() if is_file else TextOutput.for_stream(sys.stdout)
        case Format.JSON:
            return JsonOutput(has_failures)
        case Format.CSV:
            return CsvOutput(target.label_names)
        case Format.NPY:
            return NpyOutput(target.label_names)


def _create(output: Path | None) -> OutputFile | None:
    try:
        return None if output is None else OutputFile.create(output)
    except OSError as error:
        raise click.ClickException(explain_output(output, error)) from error
