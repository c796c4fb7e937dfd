"""A dark canvas to place images, text and boxes on."""

from typing import TYPE_CHECKING

from exporter.study.figure import Colours
from exporter.study.palette import BACKGROUND, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 960
DOTS_PER_INCH = 192
UNITS_PER_INCH = 96
"""Coordinates are in units, pixels of an ordinary screen: two dots each."""

MARGIN, GAP = 20, 6

LARGE, MIDDLE, SMALL = 98.0, 70.0, 42.0
"""Sizes of an image: whole dots for each pixel of 28x28 ones, which is sharp and packs well."""


def canvas(height: float) -> tuple["Figure", "Axes"]:
    """Return an empty picture whose coordinates are units from its upper left corner."""
    from matplotlib.figure import Figure

    inches = (WIDTH / UNITS_PER_INCH, height / UNITS_PER_INCH)
    figure = Figure(inches, dpi=DOTS_PER_INCH, facecolor=BACKGROUND)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return figure, axes


def paste(
    axes: "Axes", tile: Colours, x: float, y: float, width: float, height: float | None = None
) -> None:
    """Put one image (rows, columns, 3) at its upper left corner; without `height` it is square."""
    bottom = y + (width if height is None else height)
    axes.imshow(
        tile, extent=(x, x + width, bottom, y), interpolation="nearest", aspect="auto", zorder=2
    )


def write(
    axes: "Axes",
    x: float,
    y: float,
    text: str,
    colour: str = TEXT,
    align: str = "left",
    *,
    bold: bool = False,
    points: float = 9,
) -> None:
    """Write text whose middle is at height `y`."""
    axes.text(
        x,
        y,
        text,
        color=colour,
        ha=align,
        va="center" if "\n" in text else "center_baseline",
        fontsize=points,
        fontweight="bold" if bold else "normal",
        zorder=4,
    )


def box(
    axes: "Axes", x: float, y: float, width: float, height: float, colour: str, alpha: float = 1.0
) -> None:
    """Fill a box from its upper left corner."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, height, color=colour, alpha=alpha, linewidth=0))
