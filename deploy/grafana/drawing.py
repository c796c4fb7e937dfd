"""Draws panels much as Grafana does, with matplotlib: for pages that can't hold a Grafana."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from deploy.grafana.asking import Series
from deploy.grafana.canvas import (
    BACKGROUND,
    FAINT,
    LARGE,
    NORMAL,
    TITLE_INCHES,
    Box,
    card,
    fill_box,
    make_axes,
    write,
)
from deploy.grafana.panels import AMBER, BLUE, GREEN, GREY, PINK, RED, TEAL, VIOLET
from deploy.grafana.reading import Panel
from deploy.grafana.units import scale, spell

PALETTE = (BLUE, GREEN, AMBER, VIOLET, TEAL, PINK, "#5c940d", "#a61e4d", "#364fc7", GREY, RED)
"""For series that have no colour of their own."""

LEGEND_INCHES, LETTER_INCHES = 0.17, 0.062
MOST_LEGEND_ROWS = 4

CLOCK_STEPS = (60, 120, 180, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 86400)
"""Seconds between the times that an axis names."""


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
        return PALETTE[names.index(name) % len(PALETTE)]


WIDTH_INCHES, COLUMN_INCHES, ROW_INCHES = 10.0, 10.0 / 24, 0.34
EDGE_INCHES = 0.06
DOTS_PER_INCH = 150


def draw(panels: Sequence[Answered], description: str) -> bytes:
    """Return a PNG of the panels in their places; the description goes into the file."""
    top = min(each.panel.y for each in panels)
    rows = max(each.panel.y + each.panel.height for each in panels) - top
    height = rows * ROW_INCHES + 2 * EDGE_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, height), facecolor=BACKGROUND)
    for each in panels:
        panel = each.panel
        box = Box(
            panel.x * COLUMN_INCHES + EDGE_INCHES,
            height - (panel.y - top + panel.height) * ROW_INCHES,
            panel.width * COLUMN_INCHES - 2 * EDGE_INCHES,
            panel.height * ROW_INCHES - 2 * EDGE_INCHES,
        )
        card(figure, box, panel.title)
        if any(each.answers):
            _KINDS[panel.kind](figure, box, each)
        else:
            x, y = box.x + box.width / 2, box.y + box.height / 2 - 0.1
            write(figure, x, y, "No data", size=NORMAL, colour=FAINT, align="center")
    content = io.BytesIO()
    # Without Software, so that another version of matplotlib doesn't mean another file.
    metadata = {"Software": None, "Description": description}
    figure.savefig(
        content,
        format="png",
        dpi=DOTS_PER_INCH,
        metadata=metadata,
        facecolor=BACKGROUND,
        pil_kwargs={"optimize": True},
    )
    return content.getvalue()


def _clock(axes: Axes, answered: Answered) -> None:
    axes.set_xlim(answered.start, answered.end)
    seconds = answered.end - answered.start
    step = next((each for each in CLOCK_STEPS if seconds / each < 6), CLOCK_STEPS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda at, _: f"{datetime.fromtimestamp(at, UTC):%H:%M}")
    )


def _lines(figure: Figure, box: Box, answered: Answered) -> None:
    panel, named = answered.panel, answered.named()
    longest = max(len(_short(name)) for name, _ in named) + 10
    columns = max(1, int((box.width - 0.2) / (longest * LETTER_INCHES + 0.2)))
    most = columns * MOST_LEGEND_ROWS
    shown = sorted(named, key=lambda pair: -max(pair[1].values))[:most]
    n_rows = -(-len(shown) // columns)
    axes = make_axes(figure, box, 0.28 + n_rows * LEGEND_INCHES)
    if panel.stacking == "none":
        for name, series in named:
            is_limit = name in panel.dashed
            style = "--" if is_limit else "-"
            colour = answered.colour(name)
            axes.plot(series.times, series.values, style, color=colour, linewidth=1.1)
            if not is_limit and len(named) < 5:
                axes.fill_between(series.times, series.values, color=colour, alpha=0.07, lw=0)
    else:
        _stack(axes, answered)
    highest = max((max(series.values) for _, series in named), default=1.0)
    lowest = min((min(series.values) for _, series in named), default=0.0)
    if panel.stacking != "percent":
        top = axes.get_ylim()[1] if highest else max([1.0, *(start for start, _ in panel.steps)])
        axes.set_ylim(min(0.0, lowest * 1.1), top)
    for start, colour in panel.steps:
        if 0 < start <= axes.get_ylim()[1]:
            axes.axhline(start, color=colour, linestyle=(0, (5, 3)), linewidth=0.9)
    for time in answered.marks:
        axes.axvline(time, color=GREY, linestyle=":", linewidth=0.8)
    unit = "percentunit" if panel.stacking == "percent" else panel.unit
    size = scale(axes.get_ylim()[1], unit)
    ticks = MaxNLocator(4).tick_values(*(end / size for end in axes.get_ylim()))
    low, high = axes.get_ylim()
    axes.set_yticks([tick * size for tick in ticks if low <= tick * size <= high * 1.001])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: spell(value, unit)))
    _clock(axes, answered)
    for index, (name, series) in enumerate(sorted(shown, key=lambda pair: pair[0])):
        x = box.x + 0.14 + index % columns * (box.width - 0.2) / columns
        y = box.y + 0.07 + (n_rows - 1 - index // columns) * LEGEND_INCHES
        write(figure, x, y, "▬", colour=answered.colour(name))
        value = spell(series.last, panel.unit)
        write(figure, x + 0.14, y, f"{_short(name)}  {value}", colour=FAINT)


def _short(name: str) -> str:
    """Return a name without the package of its method, nor the machine that is the only one."""
    before, _, after = name.rpartition("/")
    name = f"{before.rpartition('.')[2]}/{after}" if before else name
    first, _, rest = name.partition(" ")
    return f"worker {rest}" if ":" in first and rest else name


def _stack(axes: Axes, answered: Answered) -> None:
    named = answered.named()
    times = sorted({time for _, series in named for time in series.times})
    at = [dict(zip(series.times, series.values, strict=True)) for _, series in named]
    heights = [[values.get(time, 0.0) for time in times] for values in at]
    if answered.panel.stacking == "percent":
        totals = [sum(column) or 1.0 for column in zip(*heights, strict=True)]
        heights = [[h / total for h, total in zip(row, totals, strict=True)] for row in heights]
        axes.set_ylim(0, 1)
    colours = [answered.colour(name) for name, _ in named]
    axes.stackplot(times, heights, colors=colours, alpha=0.75, linewidth=0)


def _number(figure: Figure, box: Box, answered: Answered) -> None:
    named = answered.named()
    part = (box.height - 0.3) / max(len(named), 1) if box.height > 2 else box.height - 0.3
    across = 1 if box.height > 2 else max(len(named), 1)
    for index, (name, series) in enumerate(named):
        colour = _step_colour(answered.panel, series.last)
        x = box.x + (index % across + 0.5) * box.width / across
        y = box.y + box.height - 0.3 - (index // across + 0.55) * part
        many = len(named) > 1
        size = LARGE * (0.7 if many else 1.0)
        text = spell(series.last, answered.panel.unit)
        write(figure, x, y, text, size=size, colour=colour, weight="bold", align="center")
        if many:
            write(figure, x, y - 0.17, _short(name), colour=FAINT, align="center")
        elif len(series.values) > 1:
            width, height = figure.get_size_inches()
            rectangle = (box.x / width, (box.y + 0.04) / height, box.width / width, 0.3 / height)
            axes = figure.add_axes(rectangle)
            axes.set_axis_off()
            axes.fill_between(series.times, series.values, color=colour, alpha=0.18, lw=0)
            axes.plot(series.times, series.values, color=colour, linewidth=0.9)
            axes.set_ylim(min(0.0, *series.values), max(*series.values, 1e-9) * 1.15)
            axes.set_xlim(series.times[0], series.times[-1])


def _step_colour(panel: Panel, value: float) -> str:
    return [colour for start, colour in panel.steps if value >= start][-1]


def _heat(figure: Figure, box: Box, answered: Answered) -> None:
    buckets = sorted(
        ((float(series.labels["le"]), series) for series in answered.answers[0]),
        key=lambda pair: pair[0],
    )
    times = buckets[-1][1].times
    columns = [dict(zip(series.times, series.values, strict=True)) for _, series in buckets]
    below = [[values.get(time, 0.0) for time in times] for values in columns]
    counts = [below[0]] + [
        [max(0.0, high - low) for high, low in zip(above, under, strict=True)]
        for under, above in pairwise(below)
    ]
    used = [index for index, row in enumerate(counts) if any(row) and index < len(counts) - 1]
    first, last = min(used, default=0), max(used, default=0)
    bounds = [buckets[0][0] / 2, *(bound for bound, _ in buckets)]
    axes = make_axes(figure, box, 0.28)
    edges = [*times, times[-1] + (times[-1] - times[-2])]
    shown = [[count**0.5 for count in row] for row in counts[first : last + 1]]
    axes.pcolormesh(edges, bounds[first : last + 2], shown, cmap="Blues", rasterized=True)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: spell(value, "s")))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.grid(visible=False)
    _clock(axes, answered)


def _gauges(figure: Figure, box: Box, answered: Answered) -> None:
    named = answered.named()
    height = (box.height - TITLE_INCHES - 0.12) / max(len(named), 1)
    for index, (name, series) in enumerate(named):
        y = box.y + box.height - TITLE_INCHES - (index + 1) * height
        colour = _step_colour(answered.panel, series.last)
        write(figure, box.x + 0.14, y + 0.29, name, colour=FAINT)
        full = box.width - 0.95
        for share, fill in ((1.0, BACKGROUND), (min(max(series.last, 0.004), 1.0), colour)):
            fill_box(figure, Box(box.x + 0.14, y + 0.05, full * share, 0.19), fill)
        text = spell(series.last, answered.panel.unit)
        at = box.x + box.width - 0.12
        write(figure, at, y + 0.08, text, size=NORMAL, colour=colour, weight="bold", align="right")


def _bars(figure: Figure, box: Box, answered: Answered) -> None:
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
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: spell(value, panel.unit)))


def _rows(figure: Figure, box: Box, answered: Answered) -> None:
    answer = answered.answers[0]
    names = list(dict.fromkeys(name for series in answer for name in series.labels))
    names = [name for name in names if name not in answered.panel.hidden]
    # Grafana shows hashes whole; a page has no room for that.
    table = [[series.labels.get(name, "")[:22] for name in names] for series in answer]
    step = (box.width - 0.28) / (len(names) + 1)
    for column, name in enumerate([*names, answered.panel.value]):
        x = box.x + 0.14 + column * step
        write(figure, x, box.y + box.height - 0.48, name, colour=BLUE, weight="bold")
        for row, series in enumerate(answer):
            y = box.y + box.height - 0.72 - row * 0.22
            text = table[row][column] if column < len(names) else spell(series.last, "short")
            write(figure, x, y, text)


_KINDS: Mapping[str, Callable[[Figure, Box, Answered], None]] = {
    "timeseries": _lines,
    "stat": _number,
    "heatmap": _heat,
    "bargauge": _gauges,
    "barchart": _bars,
    "table": _rows,
}
