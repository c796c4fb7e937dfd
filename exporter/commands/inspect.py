"""Print the card of a model."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from exporter import network
from exporter.commands.common import PATH, clear_errors
from exporter.export import graph, publishing
from exporter.study import records, report
from modelfile.golden import GOLDEN_TOLERANCE


@click.command("inspect")
@click.argument("path", type=PATH, metavar="MODEL.onnx|WEIGHTS.npz|FOLDER")
@clear_errors()
def inspect_command(path: Path) -> None:
    """Print the card of a model.

    It tells what the model is, where it comes from, and whether it computes correctly.

    FOLDER is a version, such as models/digits/1, or a model, whose newest version is taken. Weights
    are shown as the model that they would become. Exits with 1 if a check fails.
    """
    path = publishing.find_model(path)
    is_weights = path.suffix == ".npz"
    model = graph.build_saved(network.load(path)) if is_weights else graph.read(path)
    described = graph.describe(path, model)
    metadata = described.metadata
    right = described.golden_difference <= GOLDEN_TOLERANCE
    layers = [f"{metadata.layer_sizes[0]}"]
    for size, activation in zip(metadata.layer_sizes[1:], metadata.activations, strict=True):
        layers.append(f"{size} {activation}")
    rows = [
        ("file", str(path)),
        ("layers", " > ".join(layers)),
        ("inputs", f"{metadata.layer_sizes[0]} {metadata.input_range.describe('numbers')}"),
        ("images", str(metadata.image_layout or "of no known layout")),
        ("labels", ", ".join(metadata.labels)),
        ("parameters", f"{metadata.parameters:,}"),
        ("weights SHA-256", metadata.weights_sha256),
        ("weights check", "ok" if described.weights_match else "FAILED: the weights were changed"),
        (
            "golden check",
            f"{'ok' if right else 'FAILED'}: largest difference {described.golden_difference:.2g} "
            f"over {len(metadata.golden_pixels)} images, allowed {GOLDEN_TOLERANCE:g}",
        ),
        *((key, str(value)) for key, value in described.provenance.items()),
    ]
    if described.evaluation is not None:
        rows.append(("evaluation", report.summary(records.decode(described.evaluation))))
    width = max(len(key) for key, _ in rows)
    console = Console()
    for key, value in rows:
        line = Text.assemble((f"{key:<{width}}", "bold"), "  ", value)
        # Values are copied and searched for: a line each, whatever the terminal's width.
        console.print(line, soft_wrap=True)
    if not (right and described.weights_match):
        raise click.ClickException(f"{path} fails its checks; export it again")
