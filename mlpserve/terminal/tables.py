"""Tables and lists as commands show them."""

import math
import os
import sys
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

MAX_WIDTH = 200
"""Characters in a line where no terminal bounds them."""


def make_console() -> Console:
    """Return where a command shows tables: in a pipe or a file as wide as they need, so that no
    number is cut.
    """
    is_bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if is_bounded else MAX_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def plain_table(first: str, *others: str) -> Table:
    """Return a table without lines: the first column is text, the others are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(
            name, justify="right", no_wrap=True, min_width=max(map(len, name.split()), default=0)
        )
    return table


def format_counts(counts: Mapping[str, float]) -> str:
    """Return what has been counted, the most first."""
    often: Iterable[str] = sorted(counts, key=lambda name: (-counts[name], name))
    return "   ".join(f"{name} {counts[name]:.0f}" for name in often if counts[name]) or "none"


def format_rate(per_second: float) -> str:
    """Return a rate with one decimal, if it is not whole; what would be 0 has its first digit, and
    what nobody knows is "-".
    """
    if math.isnan(per_second):
        return "-"
    if 0 < abs(per_second) < 0.05:
        return f"{per_second:.1g}"
    return f"{per_second:,.1f}".removesuffix(".0")
