"""Each reason is explained once, as it is used, and docs/reasons.md has all of them."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, get_args

import pytest

from harness.server_process import ROOT
from server import errors
from server.reasons.loads import LOADS, LoadReason
from server.reasons.processes import (
    ENDS,
    RELOADS,
    RESTARTS,
    EndReason,
    ReloadOutcome,
    RestartReason,
)
from server.reasons.reason import Reason
from server.reasons.requests import REQUESTS, RequestReason
from server.settings.settings import Settings
from server.telemetry import codes
from tests import generate_metrics_page

TABLES: dict[str, tuple[Mapping[Any, Reason], Any]] = {
    "requests": (REQUESTS, RequestReason),
    "loads": (LOADS, LoadReason),
    "worker's ends": (RESTARTS, RestartReason),
    "HTTP's ends": (ENDS, EndReason),
    "reloads": (RELOADS, ReloadOutcome),
}
ALL = [
    pytest.param(reason, id=f"{name}-{word}")
    for name, (table, _) in TABLES.items()
    for word, reason in table.items()
]
FILES = [
    file
    for room in ("server", "modelfile")
    for file in (ROOT / room).rglob("*.py")
    if file.parent.name != "reasons"
]


def words(kind: Any) -> set[str]:
    """The words that a type admits."""
    return {kind} if isinstance(kind, str) else {w for part in get_args(kind) for w in words(part)}


@pytest.mark.parametrize("name", TABLES)
def test_each_word_of_the_type_is_explained(name: str) -> None:
    table, kind = TABLES[name]
    assert table.keys() == words(kind)
    # They cost what strings cost.
    assert set(map(type, table)) == {str}


def raised() -> Iterator[tuple[type[errors.RequestError], str]]:
    """Each error that is made with a word in the code, and the word."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            kind = getattr(errors, node.func.id, None)
            if isinstance(kind, type) and issubclass(kind, errors.RequestError):
                for word in ast.walk(node.args[0]):
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        yield kind, word.value


def test_codes_are_those_with_which_calls_end() -> None:
    ends: dict[str, set[str]] = {"internal": {"INTERNAL"}, "model_unloaded": {"NOT_FOUND"}}
    for kind, word in raised():
        if kind is not errors.RequestError:
            ends.setdefault(word, set()).add(codes.code_of(kind.__new__(kind)).name)
    assert ends == {word: {reason.code} for word, reason in REQUESTS.items()}


@pytest.mark.parametrize("name", TABLES)
def test_each_word_is_used(name: str) -> None:
    constants = {
        node.value
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert TABLES[name][0].keys() <= constants


@pytest.mark.parametrize("reason", ALL)
def test_a_reason_says_what_exists(reason: Reason) -> None:
    told = " ".join((reason.meaning, reason.caller, reason.operator))
    flags = {f"--{name.replace('_', '-')}" for name in asdict(Settings())} | {"--token-file"}
    assert set(re.findall(r"--[a-z-]+", told)) <= flags
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    linked = re.findall(r"\[(\w+)\]\(runbook\.md#(\w+)\)", told)
    assert all(name in headings and anchor == name.lower() for name, anchor in linked)
    assert told.count("`") % 2 == 0
    assert "|" not in told


def test_the_page_about_reasons_is_current() -> None:
    assert generate_metrics_page.REASONS_PAGE.read_text() == generate_metrics_page.reasons_page(), (
        "run `.venv/bin/python -m tests.generate_metrics_page`"
    )


def test_the_page_has_each_metric_with_reasons() -> None:
    labelled = {
        f"{metric.name}_total{{{label}}}"
        for metric in generate_metrics_page.declared()
        for label in ("reason", "outcome")
        if label in metric.label_names
    }
    assert len(labelled) == 5
    assert {name for name in labelled if name not in generate_metrics_page.reasons_page()} == set()
