"""Prints how well recipes of training do: the mean and the spread over several seeds.

The figures on the test images are reported; nothing is chosen by them.
"""

import json
import os
import statistics
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exporter import network
from exporter.commands.common import PATH, WEIGHTS, clear_errors, data_option
from exporter.files import write_file
from exporter.network.network import Network
from exporter.training import calibration, mnist, training
from exporter.training.options import TrainingOptions
from harness.load import print_table

PLAIN = TrainingOptions(
    activation="sigmoid",
    loss="squared-error",
    mix=0,
    optimizer="sgd",
    rate=2,
    first_rate_factor=1,
    batch_size=32,
    epochs=10,
    augment=False,
)
"""Gradient descent as in docs/learn.md, but for a rate that falls."""

RECIPES = {
    "default": TrainingOptions(),
    "adamw": TrainingOptions(
        optimizer="adamw", rate=0.016, decay=0.03, first_rate_factor=0.15, epochs=100
    ),
    "no-augmentation": TrainingOptions(augment=False, epochs=60),
    "mix-0": TrainingOptions(mix=0),
    "relu": TrainingOptions(activation="relu"),
    "sigmoid": TrainingOptions(activation="sigmoid"),
    "squared-error": TrainingOptions(loss="squared-error", mix=0),
    "plain": PLAIN,
    "plain-augmented": replace(PLAIN, augment=True, epochs=100),
}
"""Each differs from the default in what its name says, and in the rates and epochs that suit it."""

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """What one training brought.

    Accuracies, the calibration error and the share of the test images without a bright output are
    in [0, 1]; `seconds` are of processor time. `ships` says whether the weights are exactly those
    that ship.
    """

    recipe: str
    seed: int
    validation_accuracy: float
    test_accuracy: float
    calibration_error: float
    without_bright_output: float
    seconds: float
    ships: bool


FIGURES = [one.name for one in fields(Run) if one.type is float]
"""Of which summaries have means."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A recipe's means over its runs; deviations are standard ones, None for a single run."""

    recipe: str
    runs: int
    validation_accuracy: float
    validation_deviation: float | None
    test_accuracy: float
    test_deviation: float | None
    calibration_error: float
    without_bright_output: float
    seconds: float


def run(recipe: str, options: TrainingOptions, data: Path, epochs: Queue[int]) -> Run:
    """Train once and measure; every finished epoch's number is put into `epochs`."""
    images, labels = mnist.load(data, "train")
    # Before the training, so that a missing file is told at once.
    test_images, test_labels = mnist.load(data, "test")
    begin = time.process_time()
    trained = training.train(images, labels, options, report=lambda epoch: epochs.put(epoch.number))
    seconds = time.process_time() - begin
    outputs = trained.network.forward(test_images)[-1]
    return Run(
        recipe,
        options.seed,
        trained.validation_accuracy,
        float(np.mean(outputs.argmax(axis=1) == test_labels)),
        calibration.calibration_error(calibration.reliability(outputs, test_labels)),
        calibration.share_without_bright_output(outputs),
        seconds,
        is_same(trained.network, network.load(WEIGHTS).network),
    )


def is_same(found: Network, wanted: Network) -> bool:
    """Whether two networks have the same layers, bit for bit."""
    return found.sizes == wanted.sizes and all(
        one.activation == other.activation
        and one.weights.tobytes() == other.weights.tobytes()
        and one.biases.tobytes() == other.biases.tobytes()
        for one, other in zip(found.layers, wanted.layers, strict=True)
    )


def run_all(
    trainings: Sequence[tuple[str, TrainingOptions]], data: Path, processes: int, console: Console
) -> list[Run]:
    """Run every training in one of `processes` processes, behind a progress bar of their epochs."""
    # For the processes to come: exporter/__main__.py tells why one thread.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    spawn = get_context("spawn")
    columns = (TextColumn("epochs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        spawn.Manager() as manager,
        ProcessPoolExecutor(processes, mp_context=spawn) as pool,
    ):
        epochs = manager.Queue()
        task = progress.add_task("", total=sum(options.epochs for _, options in trainings))
        futures = [pool.submit(run, name, options, data, epochs) for name, options in trainings]
        waiting = set(futures)
        try:
            while waiting:
                done, waiting = wait(waiting, POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    console.print(describe(future.result()), highlight=False)
                progress.update(task, completed=epochs.qsize())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def describe(one: Run) -> str:
    """Return a run's figures in one line."""
    return (
        f"{one.recipe}, seed {one.seed}: validation {one.validation_accuracy:.2%}, test "
        f"{one.test_accuracy:.2%}, {one.seconds:.0f} s"
    )


def summarise(runs: Sequence[Run]) -> list[Summary]:
    """Return a summary for each recipe, in the order of their first runs."""
    summaries = []
    for recipe in dict.fromkeys(one.recipe for one in runs):
        same = [one for one in runs if one.recipe == recipe]
        figures = {name: [getattr(one, name) for one in same] for name in FIGURES}
        validation, test = (
            statistics.stdev(figures[name]) if len(same) > 1 else None for name in FIGURES[:2]
        )
        means = {name: statistics.fmean(values) for name, values in figures.items()}
        deviations: dict[str, Any] = {"validation_deviation": validation, "test_deviation": test}
        summaries.append(Summary(recipe, len(same), **means, **deviations))
    return summaries


def tabulate(summaries: Iterable[Summary]) -> None:
    """Print a row for each recipe."""
    rows = [
        (
            one.recipe,
            str(one.runs),
            spread(one.validation_accuracy, one.validation_deviation),
            spread(one.test_accuracy, one.test_deviation),
            spread(one.calibration_error),
            spread(one.without_bright_output),
            f"{one.seconds:.0f}",
        )
        for one in summaries
    ]
    click.echo("Per cent, means over the seeds ± standard deviations")
    figures = ("runs", "validation", "test", "calibration\nerror", "no bright\noutput", "CPU s")
    print_table(("recipe", *figures), rows)


def spread(mean: float, deviation: float | None = None) -> str:
    """Return a mean and its standard deviation in per cent."""
    return f"{100 * mean:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def compare_with_shipped(runs: Iterable[Run]) -> str | None:
    """Say whether the run that is the shipped network's gave its weights; None without that run."""
    seed = RECIPES["default"].seed
    for one in runs:
        if (one.recipe, one.seed) == ("default", seed):
            return f"default, seed {seed}: " + (
                "exactly the weights that ship"
                if one.ships
                else "not the weights that ship: the defaults have changed since, or another "
                "processor or NumPy rounds otherwise"
            )
    return None


def read_seeds(_: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 1,2,3."""
    try:
        return tuple(dict.fromkeys(int(seed) for seed in text.split(",")))
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r}, wanted numbers such as 1,2,3", param=parameter
        ) from error


@click.command()
@click.option(
    "--recipe",
    "recipes",
    type=click.Choice(list(RECIPES)),
    multiple=True,
    help="Recipe to train; repeat it for several.  [default: all]",
)
@click.option(
    "--seeds", default="1,2,3,4,5", show_default=True, callback=read_seeds, help="Seeds of each."
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Of each training.  [default: the recipe's]"
)
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Trainings at a time; each takes one core.",
)
@data_option
@click.option("--json", "json_path", type=PATH, metavar="FILE", help="Write all figures as JSON.")
@clear_errors()
def main(
    recipes: tuple[str, ...],
    seeds: tuple[int, ...],
    epochs: int | None,
    processes: int,
    data: Path,
    json_path: Path | None,
) -> None:
    """Train recipes with several seeds, and print how well they do and how long they take.

    Trained on MNIST's training images but the last 10,000, which validate. The test images are
    measured on last and choose nothing.
    """
    trainings = [
        (name, replace(RECIPES[name], seed=seed, epochs=epochs or RECIPES[name].epochs))
        for name in dict.fromkeys(recipes or RECIPES)
        for seed in seeds
    ]
    runs = run_all(trainings, data, processes, Console(stderr=True))
    summaries = summarise(runs)
    tabulate(summaries)
    compared = compare_with_shipped(runs)
    if compared:
        click.echo(compared)
    if json_path:
        figures = {
            "recipes": [asdict(one) for one in summaries],
            "runs": [asdict(one) for one in runs],
        }
        write_file(json_path, f"{json.dumps(figures, indent=2)}\n".encode())


if __name__ == "__main__":
    main()
