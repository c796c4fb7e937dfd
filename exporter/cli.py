"""The exporter's commands: train, export, evaluate, fetch, draw, inspect."""

import contextlib
import typing
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter import (
    checkpoints,
    evaluation,
    graph,
    mnist,
    network,
    origin,
    pictures,
    progress,
    publishing,
    training,
)

WEIGHTS = Path(__file__).parent / "weights" / "digits.npz"
"""The network that ships."""

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it: 128 + SIGINT."""

PATH = click.Path(path_type=Path)

data_option = click.option(
    "--data",
    type=PATH,
    default=Path("data/mnist"),
    envvar="MLPSERVE_MNIST",
    show_default=True,
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
    """Turn what a user can put right into one line and exit code 1."""
    try:
        yield
    except (
        checkpoints.CheckpointError,
        evaluation.EvaluationError,
        graph.ModelError,
        mnist.MnistError,
        network.NetworkError,
        network.WeightsError,
        publishing.RepositoryError,
        training.TrainingError,
    ) as error:
        raise click.ClickException(" ".join(str(error).split())) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error


@click.group(context_settings={"max_content_width": 110})
def main() -> None:
    """Make models: from weights in NumPy to ONNX files that the server loads."""


DEFAULTS = training.TrainingOptions()


def read_sizes(_: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 16,16; an empty text has none."""
    try:
        return tuple(int(size) for size in text.split(",") if text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r}, wanted numbers such as 16,16", param=parameter
        ) from error


@main.command("train")
@data_option
@click.option(
    "--output",
    type=PATH,
    default=Path("checkpoints/digits.npz"),
    show_default=True,
    help="Weights file to write.",
)
@click.option(
    "--checkpoint",
    type=PATH,
    show_default="OUTPUT.checkpoint",
    help="Where the state is kept between epochs; it is deleted when the weights are written.",
)
@click.option(
    "--hidden-sizes",
    default=",".join(map(str, DEFAULTS.hidden_sizes)),
    show_default=True,
    callback=read_sizes,
    help="Neurons of each hidden layer.",
)
@click.option(
    "--activation",
    type=click.Choice(typing.get_args(training.Activation)),
    default=DEFAULTS.activation,
    show_default=True,
    help="Of the hidden layers while training; tanh is folded into sigmoid at the end.",
)
@click.option(
    "--loss",
    type=click.Choice(typing.get_args(training.LossName)),
    default=DEFAULTS.loss,
    show_default=True,
)
@click.option("--mix", default=DEFAULTS.mix, show_default=True, help="Binary part of the loss.")
@click.option(
    "--optimizer",
    type=click.Choice(typing.get_args(training.Optimizer)),
    default=DEFAULTS.optimizer,
    show_default=True,
)
@click.option("--epochs", default=DEFAULTS.epochs, show_default=True)
@click.option("--batch-size", default=DEFAULTS.batch_size, show_default=True)
@click.option("--rate", default=DEFAULTS.rate, show_default=True, help="The optimizer's rate.")
@click.option("--decay", default=DEFAULTS.decay, show_default=True, help="Weight decay.")
@click.option(
    "--augment/--no-augment",
    default=DEFAULTS.augment,
    show_default=True,
    help="Train on distorted images too.",
)
@click.option(
    "--validation",
    "n_validation",
    default=DEFAULTS.n_validation,
    show_default=True,
    help="Images at the end of the training set that are not trained on.",
)
@click.option("--seed", default=DEFAULTS.seed, show_default=True, help="Decides all chance.")
@clear_errors()
def train_command(data: Path, output: Path, checkpoint: Path | None, **values: typing.Any) -> None:
    """Train a network on MNIST's training images.

    Ctrl-C loses nothing: the same command goes on after the last whole epoch. The test images are
    not looked at: see evaluate.
    """
    options = training.TrainingOptions(**values)
    images, labels = mnist.load(data, "train")
    checkpoint = checkpoint or output.with_name(f"{output.name}.checkpoint")
    for path in (output, checkpoint):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with progress.training_bar(options.epochs) as report:
            trained = training.train(images, labels, options, checkpoint=checkpoint, report=report)
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on after the last whole epoch.", err=True)
        raise SystemExit(INTERRUPTED) from None
    n_train = len(images) - options.n_validation
    network.save(
        output,
        trained.network,
        # Golden images that the network was not trained on and will not be tested on.
        examples=origin.choose_examples(trained.network, images[n_train:], labels[n_train:]),
        provenance=origin.describe(trained, options, "MNIST", n_train),
    )
    checkpoint.unlink(missing_ok=True)
    click.echo(output)
    click.echo(
        f"Validation accuracy {trained.validation_accuracy:.2%}. Measure it on the test images: "
        f"python -m exporter evaluate --weights {output} --record",
        err=True,
    )


@main.command("export")
@weights_option
@click.option(
    "--repository",
    type=PATH,
    default=Path("models"),
    show_default=True,
    help="Folder of models that the server reads; made when it isn't there.",
)
@click.option("--name", default="digits", show_default=True, help="Name of the model.")
@click.option("--version", type=int, help="Version to publish.  [default: the next one]")
@clear_errors()
def export_command(weights: Path, repository: Path, name: str, version: int | None) -> None:
    """Export a weights file to ONNX.

    Writes REPOSITORY/NAME/VERSION/model.onnx and prints its path.
    The version appears whole or not at all, and one that exists is never changed.
    """
    saved = network.load(weights)
    model = graph.build(saved.network, examples=saved.examples, provenance=saved.provenance)
    click.echo(publishing.publish(model, repository, name, version))
    click.echo(f"Serve it with: python -m server --repository {repository}", err=True)


@main.command("evaluate")
@weights_option
@data_option
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True)
@click.option(
    "--record",
    is_flag=True,
    help="Write the test accuracy into the weights file; exports carry it on.",
)
@clear_errors()
def evaluate_command(weights: Path, data: Path, split: mnist.Split, record: bool) -> None:
    """Measure a network's accuracy on MNIST.

    Prints a table of the classes, and the accuracy over all with its standard error.
    """
    if record and split != "test":
        raise click.UsageError("--record keeps the accuracy on the test images: add --split test")
    saved = network.load(weights)
    measured = evaluation.accuracy(saved.network, *mnist.load(data, split))
    table = Table("label", "right", "images", "accuracy")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = zip(
        saved.network.labels, measured.correct, measured.total, measured.per_class, strict=True
    )
    for label, correct, total, share in rows:
        table.add_row(Text(label), f"{correct:,}", f"{total:,}", f"{share:.2%}" if total else "-")
    table.add_section()
    table.add_row(
        "all", f"{sum(measured.correct):,}", f"{measured.n_images:,}", f"{measured.overall:.2%}"
    )
    console = Console()
    console.print(table)
    console.print(
        f"Accuracy on the {split} images: {measured.overall:.2%} "
        f"(standard error {measured.standard_error:.2%})",
        highlight=False,
    )
    if record:
        origin.record_test(weights, measured)


@main.command("draw")
@weights_option
@click.option(
    "--example",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which of the examples in the weights file the network looks at.",
)
@click.option(
    "--output", type=PATH, default=Path("network.svg"), show_default=True, help="File to write."
)
@clear_errors()
def draw_command(weights: Path, example: int, output: Path) -> None:
    """Draw a network looking at an image, as SVG."""
    saved = network.load(weights)
    n_examples = 0 if saved.examples is None else len(saved.examples)
    if saved.examples is None or example >= n_examples:
        raise click.BadParameter(f"{weights} has {n_examples} examples", param_hint="--example")
    drawing = pictures.draw_network(saved.network, saved.examples[example])
    publishing.write_file(output, drawing.encode())
    click.echo(output)


@main.command("fetch")
@data_option
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    default=mnist.MIRRORS,
    show_default=True,
    help="Address of a folder with the files; repeat it to have several tried in turn.",
)
@clear_errors()
def fetch_command(data: Path, mirrors: tuple[str, ...]) -> None:
    """Download MNIST's four files (11 MB) and check them.

    What is there and right is kept; a download that broke is taken up where it ended.
    """
    for path in mnist.fetch(data, mirrors=mirrors):
        click.echo(path)


@main.command("inspect")
@click.argument("path", type=PATH, metavar="MODEL.onnx|WEIGHTS.npz|FOLDER")
@clear_errors()
def inspect_command(path: Path) -> None:
    """Print the card of a model.

    It tells what the model is, where it comes from, and whether it computes right.

    FOLDER is a version, such as models/digits/1, or a model, whose newest version is taken. Weights
    are shown as the model that they would become. Exit code 1 when a check fails.
    """
    path = publishing.find_model(path)
    if path.suffix == ".npz":
        saved = network.load(path)
        model = graph.build(saved.network, examples=saved.examples, provenance=saved.provenance)
    else:
        model = graph.read(path)
    found = graph.describe(path, model)
    right = found.golden_difference <= graph.GOLDEN_TOLERANCE
    layers = [f"{found.layer_sizes[0]}"]
    for size, activation in zip(found.layer_sizes[1:], found.layer_activations, strict=True):
        layers.append(f"{size} {activation}")
    rows = [
        ("file", str(path)),
        ("layers", " > ".join(layers)),
        ("labels", ", ".join(found.labels)),
        ("parameters", f"{found.parameters:,}"),
        ("weights SHA-256", found.weights_sha256),
        ("weights check", "ok" if found.weights_match else "FAILED: the weights were changed"),
        (
            "golden check",
            f"{'ok' if right else 'FAILED'}: largest difference {found.golden_difference:.2g} "
            f"over {found.golden_images} images, allowed {graph.GOLDEN_TOLERANCE:g}",
        ),
        *((key, str(value)) for key, value in found.provenance.items()),
    ]
    width = max(len(key) for key, _ in rows)
    console = Console()
    for key, value in rows:
        line = Text.assemble((f"{key:<{width}}", "bold"), "  ", value)
        # Values are copied and searched for: a line each, whatever the terminal's width.
        console.print(line, soft_wrap=True)
    if not (right and found.weights_match):
        raise click.ClickException(f"{path} fails its checks; export it again")
