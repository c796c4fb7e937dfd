"""A panel with the answers to its questions, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.grafana.colours import AMBER, BLUE, GREEN, GREY, PINK, RED, TEAL, VIOLET
from deploy.grafana.reading import Panel
from deploy.grafana.rendering.asking import Series

PALETTE = (BLUE, GREEN, AMBER, VIOLET, TEAL, PINK, "#5c940d", "#a61e4d", "#364fc7", GREY, RED)
"""For series that have no colour of their own."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A panel and the answers to its targets, over the time from `start` to `end`.

    `marks` are times of vertical lines.
    """

    panel: Panel
    answers: Sequence[Sequence[Series]]
    start: float
    end: float
    marks: Sequence[float]

    def named(self) -> list[tuple[str, Series]]:
        """Return all series with their names in the legend."""
        return [
            (target.name(series.labels), series)
            for target, answer in zip(self.panel.targets, self.answers, strict=True)
            for series in answer
        ]

    def colour(self, name: str) -> str:
        """Return the colour of the series of that name."""
        names = sorted({each for each, _ in self.named()} - set(self.panel.colours))
        if name in self.panel.colours:
            return self.panel.colours[name]
        free = [each for each in PALETTE if each not in self.panel.colours.values()]
        return free[names.index(name) % len(free)]


def shorten(name: str) -> str:
    """Return a name without the package of its method, nor the machine that is the only one."""
    before, _, after = name.rpartition("/")
    name = f"{before.rpartition('.')[2]}/{after}" if before else name
    first, _, rest = name.partition(" ")
    return f"worker {rest}" if ":" in first and rest else name
