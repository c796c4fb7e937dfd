"""Import other people's weights."""

import codecs
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter import importing, network
from exporter.commands.common import PATH, clear_errors, input_range_option, read_names
from exporter.export import publishing
from exporter.export.image_layout import MIN_IMAGES, may_be_images, measure
from exporter.files import READ_ERRORS
from exporter.importing.assembly import HIDDEN, OUTPUTS, Imported
from exporter.importing.source import Choices, Orientation, Scaling
from exporter.network.network import Batch
from exporter.network.weights_file import WeightsError
from modelfile.hints import command, quoted
from modelfile.input_range import PIXELS, InputRange
from modelfile.texts import printable

NO_LAYOUT = (
    f"of unknown layout, so canonical mode leaves them unchanged; give {MIN_IMAGES} or more of "
    "the same layout with --examples"
)


def read_numbers(_: click.Context, parameter: click.Parameter, text: str) -> npt.ArrayLike:
    """Return a number, or the array in a .npy file."""
    try:
        if not text.endswith(".npy"):
            return float(text)
        array = np.load(text, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise TypeError("it is an archive")
        return array
    except READ_ERRORS as error:
        raise click.BadParameter(
            f"{text!r}, wanted a number, or a .npy file with one for each pixel", param=parameter
        ) from error


@click.command("import")
@click.argument("path", type=PATH, metavar="FILE")
@click.option("--name", help="Name of the model.  [default: FILE's name]")
@click.option(
    "--output", type=PATH, show_default="checkpoints/NAME.npz", help="Weights file to write."
)
@click.option(
    "--activation",
    callback=read_names,
    metavar="NAME[,NAME...]",
    help=f"Activation of the hidden layers, one for all or one for each: {', '.join(HIDDEN)}.",
)
@click.option(
    "--output-activation",
    type=click.Choice(OUTPUTS),
    help="Activation of the output layer; identity if the network ends in logits.",
)
@click.option(
    "--orientation",
    type=click.Choice(get_args(Orientation)),
    help="Layout of the weights, (n_out, n_in) or (n_in, n_out).  [default: as they fit]",
)
@click.option(
    "--layers",
    callback=read_names,
    metavar="NAME,NAME...",
    help="Layers to import, from input to output.  [default: all, as names and shapes suggest]",
)
@click.option(
    "--labels",
    callback=read_names,
    metavar="NAME,NAME...",
    help="Names of the classes.  [default: the file's, else 0, 1, 2, ...]",
)
@click.option("--labels-file", type=PATH, help="Text file with a class's name on each line.")
@click.option(
    "--input-scale",
    type=float,
    default=1.0,
    help="Factor that pixels from 0 to 1 were multiplied by, such as 255.",
)
@click.option(
    "--input-mean",
    default="0",
    callback=read_numbers,
    metavar="NUMBER|NPY",
    help="Mean that was then subtracted.",
)
@click.option(
    "--input-std",
    default="1",
    callback=read_numbers,
    metavar="NUMBER|NPY",
    help="Standard deviation that it was then divided by.",
)
@input_range_option
@click.option(
    "--examples",
    type=PATH,
    help="Images (.npy, or .npz with one array) to include as golden examples.",
)
@clear_errors()
def import_command(
    path: Path,
    name: str | None,
    output: Path | None,
    activation: Sequence[str] | None,
    output_activation: str | None,
    orientation: Orientation | None,
    layers: Sequence[str] | None,
    labels: Sequence[str] | None,
    labels_file: Path | None,
    input_scale: float,
    input_mean: npt.ArrayLike,
    input_std: npt.ArrayLike,
    input_range: InputRange | None,
    examples: Path | None,
) -> None:
    """Import weights from NumPy, PyTorch, scikit-learn or ONNX.

    FILE is an .npz of arrays, a .safetensors file of a PyTorch state dict, a .skops file of
    scikit-learn's MLPClassifier, or an .onnx file that PyTorch, Keras, tf2onnx or skl2onnx
    exported. Pickles (.pkl, .joblib, .pt) are never opened.

    Prints what was read and changed, and writes a weights file for export. Callers send pixels from
    0 to 1, or the numbers of --input-range; if the network was trained on scaled ones, say how with
    --input-scale, --input-mean and --input-std, which are folded into its first layer.
    """
    if labels is not None and labels_file is not None:
        raise click.UsageError("--labels and --labels-file say the same; give one of them")
    if labels_file is not None:
        labels = read_lines(labels_file)
    name = name or publishing.name_of(path) or "imported"
    if not publishing.MODEL_NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r}, wanted letters, digits, '.', '_' and '-', beginning with a letter or digit",
            param_hint="--name",
        )
    output = output or Path("checkpoints") / f"{name}.npz"
    if output.exists() and path.exists() and output.samefile(path):
        raise click.UsageError(f"--output {output} is FILE itself; give another one")
    choices = Choices(
        activation,
        output_activation,
        orientation,
        labels,
        Scaling(input_scale, input_mean, input_std),
        input_range,
        layers,
    )
    imported, provenance = importing.from_file(path, choices)
    images = None if examples is None else read_examples(examples, imported.network.input_range)
    show(imported, Console(stderr=True))
    output.parent.mkdir(parents=True, exist_ok=True)
    network.save(
        output,
        imported.network,
        examples=images,
        provenance=provenance,
        image_layout=imported.image_layout,
    )
    if may_be_images(imported.network.n_inputs, imported.network.input_range):
        layout = imported.image_layout
        if layout is None and images is not None:
            layout = measure(images, imported.network.input_range)
        click.echo(f"images: {layout or NO_LAYOUT}", err=True)
    click.echo(output)
    export = command(f"exporter export --weights {quoted(output)} --name {name}")
    click.echo(f"Export it with: {export}", err=True)
    click.echo(f"Serve it with: {command(f'server --default-model {name}')}", err=True)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without blank ones at its end."""
    content = path.read_bytes()
    # As Windows' editors and shells write it.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise WeightsError(f"{path} is not text in UTF-8: {error}; save it so") from error
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text.rstrip())]


def read_examples(path: Path, input_range: InputRange = PIXELS) -> Batch:
    """Return the images in a file, (E, pixels); pixels in bytes are divided by 255."""
    content = io.BytesIO(path.read_bytes())
    try:
        images = np.load(content, allow_pickle=False)
        if not isinstance(images, np.ndarray):
            with images as archive:
                if len(archive.files) != 1:
                    raise WeightsError(
                        f"{path} holds {len(archive.files)} arrays, wanted the images alone"
                    )
                images = archive[archive.files[0]]
        if images.dtype.kind not in "fiub":
            raise WeightsError(f"{path} holds {images.dtype}, wanted numbers")
    except WeightsError:
        raise
    except READ_ERRORS as error:
        raise WeightsError(f"{path} can't be read: {error}; write it with numpy.save") from error
    flat = images.reshape(len(images), -1) if images.ndim > 1 else images
    pixels: Batch = flat.astype(np.float32)
    is_bytes = images.dtype == np.uint8 and input_range == PIXELS
    return pixels / np.float32(255) if is_bytes else pixels


def show(imported: Imported, console: Console) -> None:
    """Print a row for each layer, and a line for each thing that was changed."""
    table = Table("layer", "weights", "biases", "shape", "transposed", "activation")
    pairs = zip(imported.layers, imported.network.layers, strict=True)
    for index, (source, layer) in enumerate(pairs, start=1):
        table.add_row(
            str(index),
            Text(printable(source.weights_name)),
            Text(printable(source.biases_name or "none")),
            " x ".join(map(str, source.weights.shape)),
            "yes" if imported.transposed else "no",
            layer.activation,
        )
    console.print(f"Read as {printable(imported.origin)}:", markup=False, highlight=False)
    console.print(table)
    numbers = imported.network.input_range.describe("numbers")
    console.print(f"inputs: {imported.network.n_inputs} {numbers}", markup=False, highlight=False)
    labels = ", ".join(imported.network.labels)
    console.print(f"labels: {labels}", markup=False, highlight=False)
    for note in (*imported.notes, *filter(None, [imported.checked])):
        console.print(f"- {printable(note)}", markup=False, highlight=False)
