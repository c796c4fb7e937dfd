"""The bar shows each epoch's figures."""

import io
from dataclasses import replace

from rich.console import Console

from exporter.training import progress, training
from tests.exporter.training.training_process import OPTIONS, stripes


def test_bar_shows_loss_validation_and_rate() -> None:
    options = replace(OPTIONS, epochs=3)
    shown = io.StringIO()
    console = Console(file=shown, width=120, force_terminal=True, color_system=None)
    with progress.training_bar(options.epochs, console) as report:
        trained = training.train(*stripes(), options, report=report)
    last = trained.history[-1]
    assert "3/3" in shown.getvalue()
    assert f"loss {last.loss:.4f}" in shown.getvalue()
    assert f"validation {last.validation_accuracy:.2%}" in shown.getvalue()
    assert "rate 0" in shown.getvalue()
