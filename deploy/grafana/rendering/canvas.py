"""What all drawn panels are made of: a card with a title, axes and text, placed in inches."""

from dataclasses import dataclass

from matplotlib import patches
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BACKGROUND, CARD, LINE, TEXT, FAINT = "#f5f5fa", "#ffffff", "#d0d7de", "#1f2328", "#656d76"
SMALL, NORMAL, LARGE = 6.6, 8.4, 19.0
"""Sizes of type, in points."""

LETTER_INCHES = 0.062
"""About the width of a small letter."""

TITLE_INCHES = 0.30


@dataclass(frozen=True, slots=True)
class Box:
    """Where something is drawn, in inches from the lower left corner."""

    x: float
    y: float
    width: float
    height: float


def card(figure: Figure, box: Box, title: str) -> None:
    """Draw an empty panel."""
    style, size = "round,pad=0,rounding_size=0.04", (box.width, box.height)
    patch = patches.FancyBboxPatch((box.x, box.y), *size, boxstyle=style, zorder=-2)
    patch.set(facecolor=CARD, edgecolor=LINE, linewidth=0.7, transform=figure.dpi_scale_trans)
    figure.add_artist(patch)
    write(figure, box.x + 0.1, box.y + box.height - 0.2, title, size=NORMAL, weight="bold")


def write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: float = SMALL,
    colour: str = TEXT,
    weight: str = "normal",
    align: str = "left",
) -> None:
    """Write a line from `x` on, or in its middle or up to it, with its base at `y`."""
    written = figure.text(x, y, text, transform=figure.dpi_scale_trans)
    written.set(fontsize=size, color=colour, fontweight=weight, ha=align)


def make_axes(figure: Figure, box: Box, below: float, left: float = 0.52) -> Axes:
    """Return axes in a card, with so many inches free below and to the left."""
    width, height = figure.get_size_inches()
    inner_width, inner_height = box.width - left - 0.14, box.height - TITLE_INCHES - below - 0.08
    corner = (box.x + left) / width, (box.y + below) / height
    axes = figure.add_axes((*corner, inner_width / width, inner_height / height))
    axes.set_facecolor(CARD)
    axes.tick_params(which="both", labelsize=SMALL, labelcolor=FAINT, length=0, pad=4)
    axes.spines[:].set_visible(False)
    axes.grid(color=LINE, linewidth=0.4)
    axes.set_axisbelow(True)
    return axes


def fill_box(figure: Figure, box: Box, colour: str) -> None:
    """Fill a rectangle."""
    patch = patches.Rectangle((box.x, box.y), box.width, box.height, facecolor=colour, lw=0)
    patch.set(zorder=-1, transform=figure.dpi_scale_trans)
    figure.add_artist(patch)
