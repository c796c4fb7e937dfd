"""The progress bar comes when it is wanted, or after a while, and takes nobody's output."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.waiting import wait_for
from mlpserve.parts import progress
from mlpserve.parts.progress import Progress
from tests.mlpserve.pseudo_terminal import Terminal, open_terminal, plain


@contextmanager
def stderr_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Show standard error on a terminal; in the test itself, since pytest sets it before that."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with open_terminal() as opened, os.fdopen(opened.theirs, "w", closefd=False) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        yield opened


def test_at_once_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    with stderr_terminal(monkeypatch) as terminal, Progress(3, True) as bar:
        bar.advance(2)
        wait_for(lambda: "2/3 images" in plain(terminal.shown))


def test_none_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    with stderr_terminal(monkeypatch) as terminal, Progress(3, False) as bar:
        bar.advance(3)
    assert terminal.shown == ""


def test_none_for_what_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 1000.0)
    with stderr_terminal(monkeypatch) as terminal, Progress(3, None) as bar:
        bar.advance(3)
    assert terminal.shown == ""


def test_also_while_the_first_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    with stderr_terminal(monkeypatch) as terminal, Progress(3, None):
        wait_for(lambda: "0/3 images" in plain(terminal.shown))


def test_images_may_be_counted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    is_counted = threading.Event()

    def count() -> int:
        is_counted.set()
        return 7

    with stderr_terminal(monkeypatch) as terminal, Progress(count, True) as bar:
        assert is_counted.is_set()
        bar.advance(1)
        wait_for(lambda: "1/7 images" in plain(terminal.shown))


def test_standard_output_is_left_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    with stderr_terminal(monkeypatch) as terminal, Progress(3, None):
        wait_for(lambda: "0/3 images" in plain(terminal.shown))
        print("answer")
        print("complaint", file=sys.stderr)
        wait_for(lambda: "complaint" in plain(terminal.shown))
    assert capsys.readouterr().out == "answer\n"
    assert "answer" not in terminal.shown


def test_no_bar_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    with Progress(3, None) as bar:
        bar.advance(3)
    assert capsys.readouterr().err == ""
