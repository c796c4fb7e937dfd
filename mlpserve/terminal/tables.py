"""Tables and lists as commands show them."""

import math
from collections.abc import Iterable, Mapping

from rich.table import Table


def plain_table(first: str, *others: str) -> Table:
    """Return a table without lines: the first column is text, the others are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
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
