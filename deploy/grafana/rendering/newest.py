"""Draws the newest values: large numbers, bars and tables."""

from matplotlib.figure import Figure

from deploy.grafana.colours import BLUE
from deploy.grafana.reading import Panel
from deploy.grafana.rendering.answered import Answered, shorten
from deploy.grafana.rendering.canvas import (
    BACKGROUND,
    FAINT,
    LARGE,
    LETTER_INCHES,
    NORMAL,
    SMALL,
    TITLE_INCHES,
    Box,
    fill_box,
    make_axes,
    write,
)
from deploy.grafana.rendering.units import format_value


def draw_number(figure: Figure, box: Box, answered: Answered) -> None:
    """Draw the newest values in large type."""
    named = answered.named()
    part = (box.height - 0.3) / max(len(named), 1) if box.height > 2 else box.height - 0.3
    across = 1 if box.height > 2 else max(len(named), 1)
    for index, (name, series) in enumerate(named):
        colour = _step_colour(answered.panel, series.last)
        x = box.x + (index % across + 0.5) * box.width / across
        y = box.y + box.height - 0.3 - (index // across + 0.55) * part
        many = len(named) > 1
        size = LARGE * (0.7 if many else 1.0)
        text = format_value(series.last, answered.panel.unit)
        write(figure, x, y, text, size=size, colour=colour, weight="bold", align="center")
        if many:
            write(figure, x, y - 0.17, shorten(name), colour=FAINT, align="center")
        elif len(series.values) > 1:
            width, height = figure.get_size_inches()
            rectangle = (box.x / width, (box.y + 0.04) / height, box.width / width, 0.3 / height)
            axes = figure.add_axes(rectangle)
            axes.set_axis_off()
            axes.fill_between(series.times, series.values, color=colour, alpha=0.18, lw=0)
            axes.plot(series.times, series.values, color=colour, linewidth=0.9)
            axes.set_ylim(min(0.0, *series.values), max(*series.values, 1e-9) * 1.15)
            axes.set_xlim(series.times[0], series.times[-1])


def draw_gauges(figure: Figure, box: Box, answered: Answered) -> None:
    """Draw a horizontal bar for each newest value."""
    named = answered.named()
    height = (box.height - TITLE_INCHES - 0.12) / max(len(named), 1)
    for index, (name, series) in enumerate(named):
        y = box.y + box.height - TITLE_INCHES - (index + 1) * height
        colour = _step_colour(answered.panel, series.last)
        write(figure, box.x + 0.14, y + 0.29, name, colour=FAINT)
        full = box.width - 0.95
        for share, fill in ((1.0, BACKGROUND), (min(max(series.last, 0.004), 1.0), colour)):
            fill_box(figure, Box(box.x + 0.14, y + 0.05, full * share, 0.19), fill)
        text = format_value(series.last, answered.panel.unit)
        at = box.x + box.width - 0.12
        write(figure, at, y + 0.08, text, size=NORMAL, colour=colour, weight="bold", align="right")


def draw_bars(figure: Figure, box: Box, answered: Answered) -> None:
    """Draw a group of bars for each bin."""
    panel = answered.panel
    axes = make_axes(figure, box, 0.45)
    bins = sorted(
        {series.labels["bin"] for answer in answered.answers for series in answer}, key=float
    )
    for index, (target, answer) in enumerate(zip(panel.targets, answered.answers, strict=True)):
        values = {series.labels["bin"]: series.last for series in answer}
        places = [number + (index - 0.5) * 0.38 for number in range(len(bins))]
        colour = panel.colours[target.legend]
        axes.bar(places, [values.get(name, 0.0) for name in bins], width=0.36, color=colour)
        write(figure, box.x + 0.14 + index * 1.2, box.y + 0.07, "▬", colour=colour)
        write(figure, box.x + 0.28 + index * 1.2, box.y + 0.07, target.legend, colour=FAINT)
    axes.set_xticks(range(len(bins)), bins)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(lambda value, _: format_value(value, panel.unit))


def draw_rows(figure: Figure, box: Box, answered: Answered) -> None:
    """Draw a table."""
    answer = answered.answers[0]
    names = list(dict.fromkeys(name for series in answer for name in series.labels))
    names = [name for name in names if name not in answered.panel.hidden]
    # Grafana shows hashes whole; a page has no room for that.
    table = [[series.labels.get(name, "")[:22] for name in names] for series in answer]
    columns = [[name, *(row[index] for row in table)] for index, name in enumerate(names)]
    columns.append(
        [answered.panel.value, *(format_value(series.last, "short") for series in answer)]
    )
    letters = [max(map(len, column)) + 2 for column in columns]
    step = (box.width - 0.28) / sum(letters)
    size = SMALL * min(1.0, step / LETTER_INCHES)
    for index, column in enumerate(columns):
        x = box.x + 0.14 + sum(letters[:index]) * step
        heading, *cells = column
        write(figure, x, box.y + box.height - 0.48, heading, size=size, colour=BLUE, weight="bold")
        for row, cell in enumerate(cells):
            write(figure, x, box.y + box.height - 0.72 - row * 0.22, cell, size=size)


def _step_colour(panel: Panel, value: float) -> str:
    return [colour for start, colour in panel.steps if value >= start][-1]
