"""Draws the differences between two results, and says which are beyond chance."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from mlpserve.bench.comparing.bootstrap import CONFIDENCE
from mlpserve.bench.comparing.differences import RATE, Difference
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.tables import format_rate, plain_table


def draw_differences(differences: Sequence[Difference]) -> RenderableType:
    """Return a table of all figures, and the sentences."""
    table = plain_table("from intended", "A", "B", "B / A", f"{CONFIDENCE:.0%} interval", "")
    table.columns[-1].justify = "left"
    for difference in differences:
        show = format_rate if difference.name == RATE else format_duration
        table.add_row(
            difference.name,
            show(difference.a),
            show(difference.b),
            f"{difference.ratio:.2f}x",
            _interval(difference),
            "differs" if difference.is_beyond_chance else "",
            style="bold" if difference.is_beyond_chance else "",
        )
    return Group(table, Text(), *map(Text, describe_differences(differences)))


def describe_differences(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield a sentence for each difference beyond chance, or that there is none."""
    beyond = [difference for difference in differences if difference.is_beyond_chance]
    if not beyond:
        yield "No difference beyond chance."
    for difference in beyond:
        yield (
            f"B's {difference.name} is {difference.ratio:.2f}x A's "
            f"({CONFIDENCE:.0%} interval {_interval(difference)})."
        )


def _interval(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return "too few calls"
    return f"{difference.low:.2f} to {difference.high:.2f}"
