"""Train a network."""

from pathlib import Path
from typing import Any, get_args

import click

from exporter import network
from exporter.commands.common import INTERRUPTED, PATH, clear_errors, data_option
from exporter.export import image_layout
from exporter.training import mnist, progress, provenance, reference, training
from exporter.training.options import Activation, LossName, Optimizer, TrainingOptions
from modelfile.hints import command, quoted

DEFAULTS = TrainingOptions()


def read_sizes(_: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 16,16; an empty text has none."""
    try:
        return tuple(int(size) for size in text.split(",") if text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r}, wanted numbers such as 16,16", param=parameter
        ) from error


@click.command("train")
@data_option
@click.option(
    "--output", type=PATH, default=Path("checkpoints/digits.npz"), help="Weights file to write."
)
@click.option(
    "--checkpoint",
    type=PATH,
    show_default="OUTPUT.checkpoint",
    help="File that keeps the state between epochs; deleted when the weights are written.",
)
@click.option(
    "--hidden-sizes",
    default=",".join(map(str, DEFAULTS.hidden_sizes)),
    callback=read_sizes,
    help="Neurons of each hidden layer, such as 16,16.",
)
@click.option(
    "--activation",
    type=click.Choice(get_args(Activation)),
    default=DEFAULTS.activation,
    help="Activation of the hidden layers in training; tanh is folded into sigmoid at the end.",
)
@click.option(
    "--loss",
    type=click.Choice(get_args(LossName)),
    default=DEFAULTS.loss,
    help="Loss of the output layer.",
)
@click.option("--mix", default=DEFAULTS.mix, help="Weight of the binary loss.")
@click.option(
    "--optimizer",
    type=click.Choice(get_args(Optimizer)),
    default=DEFAULTS.optimizer,
    help="How a gradient becomes a step; sgd is plain descent. With muon, biases use adamw.",
)
@click.option("--epochs", default=DEFAULTS.epochs, help="Training epochs.")
@click.option("--batch-size", default=DEFAULTS.batch_size, help="Images in a batch.")
@click.option(
    "--rate", default=DEFAULTS.rate, help="Learning rate of weights; sgd wants one near 1."
)
@click.option("--decay", default=DEFAULTS.decay, help="Weight decay; sgd has none.")
@click.option(
    "--augment/--no-augment", default=DEFAULTS.augment, help="Train on distorted images too."
)
@click.option(
    "--validation",
    "n_validation",
    default=DEFAULTS.n_validation,
    help="Images at the end of the training set that aren't trained on, but chosen by.",
)
@click.option("--seed", default=DEFAULTS.seed, help="Random seed.")
@clear_errors()
def train_command(data: Path, output: Path, checkpoint: Path | None, **values: Any) -> None:
    """Train a network on MNIST's training images.

    After Ctrl-C the same command resumes after the last finished epoch. The test images are not
    used: see evaluate.
    """
    options = TrainingOptions(**values)
    images, labels = mnist.load(data, "train")
    dataset = mnist.identify(data, "train")
    checkpoint = checkpoint or output.with_name(f"{output.name}.checkpoint")
    for path in (output, checkpoint):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with progress.training_bar(options.epochs) as report:
            trained = training.train(images, labels, options, checkpoint=checkpoint, report=report)
    except KeyboardInterrupt:
        click.echo("Stopped. The same command resumes after the last finished epoch.", err=True)
        raise SystemExit(INTERRUPTED) from None
    n_train = len(images) - options.n_validation
    network.save(
        output,
        trained.network,
        # Golden images that the network was not trained on and will not be tested on.
        examples=provenance.choose_examples(trained.network, images[n_train:], labels[n_train:]),
        provenance=provenance.describe(trained, options, dataset, n_train),
        reference=reference.measure(trained.network, images[:n_train]),
        image_layout=image_layout.measure(images[:n_train]),
    )
    checkpoint.unlink(missing_ok=True)
    click.echo(output)
    evaluate = command(f"exporter evaluate --weights {quoted(output)} --record")
    click.echo(
        f"Validation accuracy {trained.validation_accuracy:.2%}. Measure it on the test images: "
        f"{evaluate}",
        err=True,
    )
