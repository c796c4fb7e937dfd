"""The exporter's commands, put together."""

import click

from exporter.commands.card import card_command
from exporter.commands.draw import draw_command
from exporter.commands.evaluate import evaluate_command
from exporter.commands.export import export_command
from exporter.commands.fetch import fetch_command
from exporter.commands.handmade import handmade_command
from exporter.commands.import_ import import_command
from exporter.commands.inspect import inspect_command
from exporter.commands.look import look_command
from exporter.commands.repository import list_command, restore_command, retire_command
from exporter.commands.train import train_command


@click.group(context_settings={"max_content_width": 110, "show_default": True})
def main() -> None:
    """Make models: from weights in NumPy to ONNX files that the server loads."""


for command in (
    train_command,
    export_command,
    evaluate_command,
    card_command,
    draw_command,
    fetch_command,
    handmade_command,
    import_command,
    inspect_command,
    list_command,
    look_command,
    restore_command,
    retire_command,
):
    main.add_command(command)
