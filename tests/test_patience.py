"""No test gives up on a slow machine: each request of httpx says how long it waits (5 s else)."""

import ast
from pathlib import Path

import pytest

from harness.server_process import ROOT

FILES = sorted(
    file
    for folder in ("tests", "harness", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
    if "import httpx" in file.read_text()
)
ASKS = {"get", "post", "head", "request", "stream", "Client"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_request_says_how_long_it_waits(file: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in {("httpx", name) for name in ASKS}
    ]
    impatient = [
        call.lineno for call in calls if "timeout" not in {each.arg for each in call.keywords}
    ]
    assert impatient == []
