"""A terminal shows how far a load is; nothing else does."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from mlpserve.bench.load.processes import Interrupt
from mlpserve.bench.load.run import Progress
from mlpserve.bench.result import Plan
from mlpserve.command.bench import showing
from mlpserve.command.bench.showing import describe_progress, show_progress

PLAN = Plan("localhost:50051", rate=100.0)
GOOD = Progress(3.2, 1234, 0, 0, 5, 0.0012)
BAD = Progress(3.2, 0, 7, 8, 9, None)


def consoles(file: io.StringIO, *, is_terminal: bool) -> Callable[..., Console]:
    def make(**_options: Any) -> Console:
        return Console(file=file, force_terminal=is_terminal, width=120)

    return make


def test_descriptions() -> None:
    assert describe_progress(GOOD, is_ending=False) == "1,234 answered  5 in flight  p99 1.2 ms"
    line = describe_progress(BAD, is_ending=True)
    assert line.startswith("0 answered  9 in flight  [red]7 failed[/red]  [red]8 not sent[/red]")
    assert line.endswith("Ctrl-C again gives up what is in flight")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_terminals_show_it(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    file = io.StringIO()
    monkeypatch.setattr(showing, "Console", consoles(file, is_terminal=is_terminal))
    with show_progress(PLAN, Interrupt()) as show:
        show(GOOD)
        show(Progress(12.0, 1300, 0, 0, 0, 0.001))
    shown = file.getvalue()
    assert ("1,300 answered" in shown) == ("12 of 10 s" in shown) == is_terminal
    assert bool(shown) == is_terminal
