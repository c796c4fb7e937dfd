"""What callers of a model rely on: its inputs and labels, which new versions should keep."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from exporter.export import graph, publishing
from exporter.export.publishing import RepositoryError
from modelfile.metadata import Metadata

MAX_SHOWN = 12


def check(model: onnx.ModelProto, repository: Path, name: str) -> None:
    """Raise RepositoryError when callers of the newest version would meet other inputs or labels.

    A model that has no version, or none that can be read, has no callers.
    """
    folder = repository / name
    try:
        path = publishing.find_model(folder) if folder.is_dir() else None
        served = None if path is None else graph.metadata_of(path, graph.read(path))
    except (RepositoryError, graph.ModelError):
        return
    if served is None or path is None:
        return
    given = graph.metadata_of(path, model)
    differences = [
        f"{describe(given)} instead of {describe(served)}"
        for part, describe in PARTS
        if part(given) != part(served)
    ]
    if differences:
        raise RepositoryError(
            f"name: {name} is already a model, and its callers would find "
            f"{'; '.join(differences)} ({path}); give another --name, or --incompatible if that "
            "is intended"
        )


def list_labels(labels: Sequence[str]) -> str:
    """Return the labels as text, of many the first."""
    left = len(labels) - MAX_SHOWN
    return ", ".join(labels[:MAX_SHOWN]) + (f" and {left} more" if left > 0 else "")


PARTS: Sequence[tuple[Callable[[Metadata], object], Callable[[Metadata], str]]] = (
    (
        lambda metadata: metadata.layer_sizes[0],
        lambda metadata: f"{metadata.layer_sizes[0]} inputs",
    ),
    (
        lambda metadata: metadata.input_range,
        lambda metadata: metadata.input_range.describe("numbers"),
    ),
    (
        lambda metadata: metadata.labels,
        lambda metadata: f"the labels {list_labels(metadata.labels)}",
    ),
)
"""What callers rely on, and how that is told."""
