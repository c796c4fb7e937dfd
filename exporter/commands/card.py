"""Write a network's model card."""

from pathlib import Path

import click

from exporter.commands.common import PATH, clear_errors, load_pixels, weights_option
from exporter.files import write_file
from exporter.study import model_card
from exporter.study.evaluation import EvaluationError
from modelfile.hints import command, quoted


@click.command("card")
@weights_option
@click.option(
    "--output",
    type=PATH,
    default=Path("model-card.md"),
    help="File to write; its pictures are expected in a folder of the same name without .md.",
)
@clear_errors()
def card_command(weights: Path, output: Path) -> None:
    """Write a network's model card, as Markdown.

    It tells what the network is, how it was trained, how well it does, and what it can't do, as
    evaluate --record stored it in the weights file. The pictures are those that evaluate
    --pictures draws.
    """
    saved = load_pixels(weights)
    try:
        card = model_card.write(weights.stem, saved, output.stem)
    except EvaluationError as error:
        evaluate = command(f"exporter evaluate --weights {quoted(weights)} --record")
        raise EvaluationError(f"{error}; measure it with `{evaluate}`") from error
    write_file(output, card.encode())
    click.echo(output)
