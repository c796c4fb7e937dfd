"""The means of the pictures: a dark canvas, images in colour, text, boxes, PNG."""

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch
from exporter.study.insight.shapes import side_of

if TYPE_CHECKING:
    # Imported where it is used: it takes longer to start than most commands to run.
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUND, TEXT, MUTED, LINE = "#0d1117", "#e6edf3", "#8b949e", "#30363d"
GREEN, RED = "#3fb950", "#f85149"

BRIGHT_GREEN = np.array([0.34, 0.94, 0.42], np.float32)
BRIGHT_RED = np.array([1.0, 0.35, 0.31], np.float32)
"""What the strongest weights are painted in."""

N_STEPS = 24
"""Levels of brightness from black on: as many as one sees, few enough for small files."""

WIDTH = 960
DOTS_PER_INCH = 192
UNITS_PER_INCH = 96
"""Coordinates are in units, pixels of an ordinary screen: two dots each."""

MARGIN, GAP = 20, 6

LARGE, MIDDLE, SMALL = 98.0, 70.0, 42.0
"""Sizes of an image: whole dots for each pixel of 28x28 ones, which is sharp and packs well."""

Colours = npt.NDArray[np.float32]
"""Square images in colour, (N, side, side, 3) in [0, 1]."""


def paint_signed(images: Batch, limit: float) -> Colours:
    """Return images (N, pixels) in colour: green above 0, red below, black at 0.

    As bright as the square root of the share of `limit`, so that faint weights are seen too.
    """
    side = side_of(images.shape[1])
    strength = np.sqrt(np.abs(images) / max(limit, 1e-12)).reshape(-1, side, side, 1)
    colours = np.where(images.reshape(-1, side, side, 1) > 0, BRIGHT_GREEN, BRIGHT_RED)
    return (_step(np.minimum(strength, 1)) * colours).astype(np.float32)


def paint_alone(image: Batch) -> Colours:
    """Return one signed image (pixels,) in colour, (side, side, 3), on a scale of its own."""
    tile: Colours = paint_signed(image[np.newaxis], float(np.abs(image).max()))[0]
    return tile


def paint_ink(images: Batch) -> Colours:
    """Return images (N, pixels) as they are: 0 black, 1 white."""
    side = side_of(images.shape[1])
    return np.repeat(_step(np.clip(images, 0, 1)).reshape(-1, side, side, 1), 3, axis=3)


def _step(brightness: Batch) -> Batch:
    levels: Batch = np.rint(brightness * np.float32(N_STEPS))
    return levels / np.float32(N_STEPS)


def canvas(height: float) -> tuple["Figure", "Axes"]:
    """Return an empty picture whose coordinates are units from its upper left corner."""
    from matplotlib.figure import Figure

    inches = (WIDTH / UNITS_PER_INCH, height / UNITS_PER_INCH)
    figure = Figure(inches, dpi=DOTS_PER_INCH, facecolor=GROUND)
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


def to_png(figure: "Figure") -> bytes:
    """Return the picture's file."""
    buffer = io.BytesIO()
    # Without the version of the program that drew it, the same findings give the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
    return buffer.getvalue()
