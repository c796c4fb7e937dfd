"""Look inside a network."""

import dataclasses
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from exporter import network
from exporter.commands.common import (
    PATH,
    clear_errors,
    data_option,
    load_pixels,
    palette_option,
    weights_option,
)
from exporter.files import write_file
from exporter.study.insight import figures, findings, measure, page
from exporter.study.palette import Palette
from exporter.training import mnist


def recipe_of(saved: network.Saved) -> str:
    """Return how a network was trained, empty when its file doesn't tell."""
    return str(saved.provenance.get("recipe", ""))


@click.command("look")
@weights_option
@data_option
@click.option(
    "--beside", type=PATH, help="Weights file of another network to compare the first layer with."
)
@click.option(
    "--output",
    type=PATH,
    default=Path("looking-inside"),
    help="Folder for the pictures and numbers; the page is OUTPUT.md.",
)
@palette_option
@clear_errors()
def look_command(
    weights: Path, data: Path, beside: Path | None, output: Path, palette: Palette
) -> None:
    """Look inside a network.

    Writes OUTPUT.md, a page on what the hidden neurons respond to, whether they see edges and
    loops, and which inputs the outputs prefer. Its pictures and numbers (findings.json) go into
    the folder OUTPUT. All is measured on the last 10,000 training images, those for validation.
    """
    saved = load_pixels(weights)
    other = load_pixels(beside) if beside else None
    images, labels = mnist.load(data, "train")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=len(measure.STAGES) + 1)

        def report(stage: str) -> None:
            progress.update(task, completed=measure.STAGES.index(stage), description=stage)

        insight = measure.look(saved.network, images, labels, report=report)
        result = dataclasses.replace(insight.findings, recipe=recipe_of(saved))
        progress.update(task, completed=len(measure.STAGES), description="pictures")
        drawn = figures.draw_all(saved.network, insight, palette)
        if other:
            compared = measure.compare(other.network, insight, recipe_of(other))
            result = dataclasses.replace(result, beside=compared)
            drawn["beside.png"] = figures.draw_weights(other.network, palette)
        progress.update(task, completed=len(measure.STAGES) + 1, description="done")
    for name, content in drawn.items():
        write_file(output / name, content)
    write_file(output / "findings.json", findings.to_json(result).encode())
    path = output.with_name(f"{output.name}.md")
    write_file(path, page.render(result, output.name, palette).encode())
    click.echo(path)
