"""Draws panels much as Grafana does, with matplotlib: for pages that can't hold a Grafana."""

import io
from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deploy.grafana.rendering import curves, newest
from deploy.grafana.rendering.answered import Answered
from deploy.grafana.rendering.canvas import BACKGROUND, FAINT, NORMAL, Box, card, write

WIDTH_INCHES, COLUMN_INCHES, ROW_INCHES = 10.0, 10.0 / 24, 0.34
EDGE_INCHES = 0.06
DOTS_PER_INCH = 150

_KINDS: Mapping[str, Callable[[Figure, Box, Answered], None]] = {
    "timeseries": curves.draw_lines,
    "stat": newest.draw_number,
    "heatmap": curves.draw_heat,
    "bargauge": newest.draw_gauges,
    "barchart": newest.draw_bars,
    "table": newest.draw_rows,
}


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
    return _png(figure, description)


def _png(figure: Figure, description: str) -> bytes:
    drawn, content = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, facecolor=BACKGROUND)
    text = PngInfo()
    text.add_text("Description", description)
    # Only 52 shades, black and white included, make smaller files, and nobody sees it.
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").point([round(value / 5) * 5 for value in range(256)] * 3)
    few.save(content, format="png", optimize=True, pnginfo=text)
    return content.getvalue()
