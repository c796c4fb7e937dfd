"""Draws what changes over time: curves, stacked areas and buckets."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator, NullFormatter

from deploy.grafana.colours import GREY
from deploy.grafana.rendering.answered import Answered, shorten
from deploy.grafana.rendering.asking import Series
from deploy.grafana.rendering.canvas import FAINT, LETTER_INCHES, Box, make_axes, write
from deploy.grafana.rendering.units import format_value, scale

LEGEND_INCHES = 0.17
MAX_LEGEND_ROWS = 4

CLOCK_STEPS = (60, 120, 180, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 86400)
"""Seconds between the times that an axis names."""


def draw_lines(figure: Figure, box: Box, answered: Answered) -> None:
    """Draw curves, and the newest value of each below them."""
    panel, named = answered.panel, answered.named()
    longest = max(len(shorten(name)) for name, _ in named) + 10
    columns = max(1, int((box.width - 0.2) / (longest * LETTER_INCHES + 0.2)))
    most = columns * MAX_LEGEND_ROWS
    shown = sorted(named, key=lambda pair: -max(pair[1].values))[:most]
    n_rows = -(-len(shown) // columns)
    axes = make_axes(figure, box, 0.28 + n_rows * LEGEND_INCHES)
    if panel.stacking == "none":
        for name, series in named:
            is_limit = name in panel.dashed
            style = "--" if is_limit else "-"
            colour = answered.colour(name)
            axes.plot(series.times, series.values, style, color=colour, linewidth=1.1)
            if not is_limit and len(named) < 5 and not panel.is_logarithmic:
                axes.fill_between(series.times, series.values, color=colour, alpha=0.07, lw=0)
    else:
        _stack(axes, answered)
    if panel.is_logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(lambda value, _: format_value(value, panel.unit))
    else:
        _scale(axes, answered)
    for start, colour in panel.steps:
        if 0 < start <= axes.get_ylim()[1]:
            axes.axhline(start, color=colour, linestyle=(0, (5, 3)), linewidth=0.9)
    for time in answered.marks:
        axes.axvline(time, color=GREY, linestyle=":", linewidth=0.8)
    _clock(axes, answered)
    for index, (name, series) in enumerate(sorted(shown, key=lambda pair: pair[0])):
        x = box.x + 0.14 + index % columns * (box.width - 0.2) / columns
        y = box.y + 0.07 + (n_rows - 1 - index // columns) * LEGEND_INCHES
        write(figure, x, y, "▬", colour=answered.colour(name))
        value = format_value(series.last, panel.unit)
        write(figure, x + 0.14, y, f"{shorten(name)}  {value}", colour=FAINT)


def _stack(axes: Axes, answered: Answered) -> None:
    named = answered.named()
    times = sorted({time for _, series in named for time in series.times})
    heights = _align([series for _, series in named], times)
    if answered.panel.stacking == "percent":
        totals = heights.sum(axis=0)
        heights /= np.where(totals, totals, 1)
        axes.set_ylim(0, 1)
    colours = [answered.colour(name) for name, _ in named]
    axes.stackplot(times, heights, colors=colours, alpha=0.75, linewidth=0)


def _align(answer: Sequence[Series], times: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return a row for each series with its values at these times, 0 where it has none."""
    at = [dict(zip(series.times, series.values, strict=True)) for series in answer]
    return np.array([[values.get(time, 0.0) for time in times] for values in at])


def _scale(axes: Axes, answered: Answered) -> None:
    """Let the axis begin at zero, with round numbers of what the unit counts."""
    panel, values = answered.panel, [v for _, each in answered.named() for v in each.values]
    unit = panel.unit
    if panel.stacking == "percent":
        unit = "percentunit"
    elif any(values):
        axes.set_ylim(min(0.0, min(values) * 1.1), axes.get_ylim()[1])
    else:
        axes.set_ylim(0.0, max([1.0, *(start for start, _ in panel.steps)]))
    low, high = axes.get_ylim()
    size = scale(high, unit)
    locator = MaxNLocator(4, integer=panel.are_counts)
    ticks = [tick * size for tick in locator.tick_values(low / size, high / size)]
    axes.set_yticks([tick for tick in ticks if low <= tick <= high * 1.001])
    axes.yaxis.set_major_formatter(lambda value, _: format_value(value, unit))


def draw_heat(figure: Figure, box: Box, answered: Answered) -> None:
    """Draw how many values lie between each two bounds."""
    buckets = sorted(answered.answers[0], key=lambda series: float(series.labels["le"]))
    times = buckets[-1].times
    counts = np.diff(_align(buckets, times), axis=0, prepend=0.0).clip(0)
    used = np.flatnonzero(counts[:-1].any(axis=1)).tolist() or [0]
    first, last = used[0], used[-1]
    bounds = [float(series.labels["le"]) for series in buckets]
    bounds.insert(0, bounds[0] / 2)
    axes = make_axes(figure, box, 0.28)
    # The last column is as wide as the one before, if any.
    edges = [*times, times[-1] + (times[-1] - (answered.start, *times)[-2])]
    shown = np.sqrt(counts[first : last + 1])
    axes.pcolormesh(edges, bounds[first : last + 2], shown, cmap="Blues", rasterized=True)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: format_value(value, "s"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=False)
    _clock(axes, answered)


def _clock(axes: Axes, answered: Answered) -> None:
    axes.set_xlim(answered.start, answered.end)
    seconds = answered.end - answered.start
    step = next((each for each in CLOCK_STEPS if seconds / each < 6), CLOCK_STEPS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(lambda at, _: f"{datetime.fromtimestamp(at, UTC):%H:%M}")
