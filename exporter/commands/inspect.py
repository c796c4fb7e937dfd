"""Print the card of a model."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from exporter import network
from exporter.commands.common import PATH, clear_errors, describe_layers
from exporter.export import graph, publishing
from exporter.study import records, report
from exporter.study.evaluation import EvaluationError
from modelfile.texts import printable


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
    rows = [
        ("file", str(path)),
        ("layers", describe_layers(metadata.layer_sizes, metadata.activations)),
        ("inputs", f"{metadata.layer_sizes[0]} {metadata.input_range.describe('numbers')}"),
        ("images", str(metadata.image_layout or "of unknown layout")),
        ("labels", ", ".join(metadata.labels)),
        ("parameters", f"{metadata.parameters:,}"),
        ("weights SHA-256", metadata.weights_sha256),
        ("weights check", "ok" if described.weights_match else "FAILED: the weights were changed"),
        (
            "golden check",
            f"{'FAILED' if described.fault else 'ok'}: largest difference {described.golden}; by "
            f"{described.runtime} over {len(metadata.golden_pixels)} images",
        ),
        *((key, str(value)) for key, value in described.provenance.items()),
    ]
    if described.fault:
        rows.append(("fault", described.fault))
    if described.evaluation is not None:
        try:
            evaluation = records.decode(described.evaluation)
        except EvaluationError as error:
            remedy = "measure its weights file again with evaluate --record, and export it again"
            raise EvaluationError(f"{path}: {error}; {remedy}") from error
        rows.append(("evaluation", report.summary(evaluation)))
        rows.append(("measured on", report.describe_data(evaluation)))
    width = max(len(key) for key, _ in rows)
    console = Console()
    for key, value in rows:
        line = Text.assemble((f"{printable(key):<{width}}", "bold"), "  ", printable(value))
        # Values are copied and searched for: a line each, whatever the terminal's width.
        console.print(line, soft_wrap=True)
    if described.fault or not described.weights_match:
        raise click.ClickException(f"{path} fails its checks; export it again")
