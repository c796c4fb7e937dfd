"""The marks of a drawing: pixels, lines, neurons and texts, as SVG."""

import html
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from exporter.study.drawing.columns import Column
from exporter.study.drawing.flow import LEVELS, Lines
from exporter.study.palette import BACKGROUND, BLACK, FAINT, LINE, TEXT, WHITE, Palette, to_rgb

N_GREYS = 16
"""Brightnesses of pixels that are told apart."""

DASHES = "5 3"

HUGE = 1e5
"""Larger numbers are written as powers of ten."""


def number(value: float) -> str:
    """Return a coordinate as short as it can be without a difference that is seen."""
    return f"{round(value, 1):g}"


def decimal(value: float, sign: str = "-") -> str:
    """Return a number as people read it; with `sign` + a plus too."""
    size = ".2f" if abs(value) < HUGE else ".2e"
    return f"{value:{sign}{size}}".replace("-", "\N{MINUS SIGN}")


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    colour: str = TEXT,
    anchor: str = "start",
    extra: str = "",
    note: str = "",
) -> str:
    """Return a text whose base line is at `y`, with a faint note behind it."""
    behind = f' <tspan fill="{FAINT}">{note}</tspan>' if note else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{colour}" '
        f'text-anchor="{anchor}"{extra}>{html.escape(words)}{behind}</text>'
    )


def frame(column: Column) -> str:
    """Return the ground that pixels are drawn on."""
    half = column.size / 2
    top = column.places[0][1] - half
    return (
        f'<rect x="{number(column.left)}" y="{number(top)}" '
        f'width="{number(column.right - column.left)}" '
        f'height="{number(column.places[-1][1] + half - top)}" fill="{BLACK}" stroke="{LINE}"/>'
    )


def pixels(column: Column, palette: Palette) -> Iterator[str]:
    """Draw what isn't black: a path for each brightness, runs of equal pixels as one box."""
    shares = np.clip(column.values / column.scale, -1, 1)
    levels = np.rint(N_GREYS * shares).astype(int).tolist()
    n_columns = round((column.right - column.left) / column.size)
    paths: defaultdict[int, list[str]] = defaultdict(list)
    start = 0
    for index, level in enumerate(levels):
        at_end = index + 1 == len(levels) or (index + 1) % n_columns == 0
        if not at_end and levels[index + 1] == level:
            continue
        row, left = divmod(start, n_columns)
        width = index + 1 - start
        if level:
            paths[level].append(f"M{left} {row}h{width}v1h-{width}z")
        start = index + 1
    half = column.size / 2
    x, y = column.places[0][0] - half, column.places[0][1] - half
    yield (
        f'<g transform="translate({number(x)} {number(y)}) scale({column.size:.4g})" '
        'shape-rendering="crispEdges">'
    )
    for level in sorted(paths):
        colour = WHITE if level > 0 else palette.negative
        opacity = f"{abs(level) / N_GREYS:.2f}"
        yield f'<path d="{"".join(paths[level])}" fill="{colour}" fill-opacity="{opacity}"/>'
    yield "</g>"


def lines(found: Lines, start: Column, end: Column, palette: Palette) -> Iterator[str]:
    """Draw lines, a path for each level; those that take away are dashed."""
    paths: defaultdict[int, list[str]] = defaultdict(list)
    for source, target, level in zip(
        found.sources.tolist(), found.targets.tolist(), found.levels.tolist(), strict=True
    ):
        (x1, y1), (x2, y2) = start.places[source], end.places[target]
        paths[level].append(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")
    for level in sorted(paths, key=abs):
        yield f'<path d="{"".join(paths[level])}" {line_style(level, palette)}/>'


def line_style(level: int, palette: Palette) -> str:
    """Return the attributes of a line, as strong as its level."""
    share = abs(level) / LEVELS
    dashes = "" if level > 0 else f' stroke-dasharray="{DASHES}"'
    return (
        f'stroke="{palette.of(level)}" stroke-opacity="{0.1 + 0.9 * share:.2f}" '
        f'stroke-width="{0.4 + 2.2 * share:.2f}" fill="none"{dashes}'
    )


def neuron(
    x: float, y: float, radius: float, share: float, palette: Palette, title: str = ""
) -> str:
    """Draw a neuron as bright as its share of the brightest; one below 0 has a dashed ring."""
    is_negative = round(share, 2) < 0
    ink, ring, dashes = WHITE, FAINT, ""
    if is_negative:
        ink, ring, dashes = palette.negative, palette.negative, ' stroke-dasharray="3 2"'
    fill = mix(BACKGROUND, ink, min(abs(share), 1.0))
    words = f"<title>{html.escape(title)}</title>" if title else ""
    return (
        f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="{fill}" '
        f'stroke="{ring}"{dashes}>{words}</circle>'
    )


def mix(ground: str, ink: str, share: float) -> str:
    """Return a share of one colour on another one."""
    mixed = to_rgb(ground) * (1 - share) + to_rgb(ink) * share
    return "#" + bytes(np.rint(255 * mixed).astype(np.uint8)).hex()
