"""Shows a training while it runs: a bar with the live loss, validation accuracy and rate."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from exporter.training.checkpoints import Epoch


@contextlib.contextmanager
def training_bar(
    n_epochs: int, console: Console | None = None
) -> Iterator[Callable[[Epoch], None]]:
    """Show a bar while inside the context; yields a `report` for `training.train`.

    `console` is standard error's unless given.
    """
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        # Narrow, so that the figures fit into 80 columns.
        BarColumn(bar_width=8),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console or Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=n_epochs)

        def report(epoch: Epoch) -> None:
            progress.update(task, completed=epoch.number, description=describe(epoch))

        yield report


def describe(epoch: Epoch) -> str:
    """Return an epoch's figures in one line."""
    return (
        f"loss {epoch.loss:.4f}  validation {epoch.validation_accuracy:.2%}  rate {epoch.rate:.2g}"
    )
