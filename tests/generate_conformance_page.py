"""Writes the table of rules at the end of docs/conformance.md, from where they are declared."""

import inspect
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.rules import MODULES, RULES

PAGE = Path(__file__).parents[1] / "docs" / "conformance.md"
MARK = "## Rules\n"


def head() -> str:
    """Return the part of the page that people write."""
    before, _, _ = PAGE.read_text().partition(MARK)
    return before


def table() -> str:
    """Return the part of the page that has the rules."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    command = ".venv/bin/python -m tests.generate_conformance_page"
    yield f"{MARK}\nWritten by `{command}`; a test compares it.\n"
    for module in MODULES:
        title = inspect.getdoc(module) or ""
        yield f"\n### {title.rstrip('.')}\n\n| rule | section | requirement |\n|---|---|---|\n"
        for rule in RULES:
            if rule.check.__module__ == module.__name__:
                sentence = rule.sentence.replace("<", "&lt;").replace("|", "\\|")
                yield f"| `{rule.name}` | {rule.section} | {sentence} |\n"


if __name__ == "__main__":
    PAGE.write_text(head() + table())
