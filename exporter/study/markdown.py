"""Markdown for the pages that commands write: paragraphs, lists and tables."""

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 120
"""Characters in a line of a page."""


def wrap(*parts: str) -> str:
    """Break a paragraph or a list into lines of the page's width; leave all else alone.

    `parts` are joined by spaces.
    """
    block = " ".join(parts)
    if block.startswith(("#", "!", "|", "```", "<")):
        return block
    mark, indent = ("- ", "  ") if block.startswith("- ") else ("", "")
    items = block.removeprefix("- ").split("\n- ") if mark else [block]
    return "\n".join(
        textwrap.fill(
            # textwrap would keep the spaces that indent an item's lines.
            " ".join(item.split()),
            WIDTH,
            initial_indent=mark,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, align_right: bool = False
) -> str:
    """Return a table; `align_right` is for columns of numbers, all but the first."""
    rule = ["---", *["---:" if align_right else "---"] * (len(header) - 1)]
    lines = [header, rule, *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "&#124;").split())
