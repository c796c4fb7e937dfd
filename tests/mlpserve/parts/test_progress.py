"""A bar is drawn for whoever wants one, or waits at a terminal."""

import io
import re
import sys

import pytest

from mlpserve.extras import install_command
from mlpserve.parts import progress
from mlpserve.parts.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Give standard error a terminal, where nobody's patience lasts. No fixture: pytest sets
    standard error anew after those.
    """
    shown = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    return shown


def advance(is_wanted: bool | None) -> None:
    with Progress(200, is_wanted) as bar:
        bar.advance(50)
        bar.advance(100)


@pytest.mark.parametrize("is_wanted", [None, True])
def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, is_wanted: bool | None) -> None:
    terminal = at_terminal(monkeypatch)
    advance(is_wanted)
    assert "150/200" in terminal.getvalue()


def test_no_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_terminal(monkeypatch)
    advance(False)
    assert not terminal.getvalue()


def test_no_bar_for_who_waits_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 3600.0)
    advance(None)
    assert not terminal.getvalue()


def test_a_bar_elsewhere_for_who_wants_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    advance(None)
    assert not shown.getvalue()
    advance(True)
    assert "150/200" in shown.getvalue()


def test_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "rich", None)
    advance(None)
    assert not terminal.getvalue()
    with pytest.raises(ImportError, match=re.escape(install_command("cli"))):
        advance(True)


def test_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    advance(None)
