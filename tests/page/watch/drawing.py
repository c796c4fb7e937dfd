"""Charts of made-up values on a blank page of the server's origin, and what their canvases hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from harness.waiting import PATIENCE_SECONDS
from server.http.static_files import HEADERS

STEP, COUNT = 5, 60
NOON = 1_796_126_400
TIMES = [NOON - STEP * (COUNT - 1 - k) for k in range(COUNT)]
"""When each of a chart's steps ended."""

BLANK = """<!doctype html><html lang="en"><head><title>Charts</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/css/base.css">
<link rel="stylesheet" href="/static/watch/charts.css"></head>
<body><main></main></body></html>"""

SHOW = """async ([kind, id, content]) => {
  const file = { lineChart: "lines", shareBars: "bars" }[kind] ?? kind;
  const module = await import(`/static/watch/charts/${file}.js`);
  const place = document.getElementById(id) ?? document.createElement("div");
  if (!place.isConnected) document.querySelector("main").append(Object.assign(place, { id }));
  module[kind](place, content);
  for (let k = 0; k < 2; k += 1) await new Promise(requestAnimationFrame);
}"""

FRAMES = """async () => {
  for (let k = 0; k < 4; k += 1) await new Promise(requestAnimationFrame);
}"""
"""After which observers have told what they see, and what is due has been drawn."""

IS_PAINTED = """(id) => {
  const canvas = document.querySelector(`#${id} canvas`);
  return canvas.width === Math.round(canvas.clientWidth * devicePixelRatio);
}"""

FIND_INK = """(canvas, ink) => {
  const { width, height } = canvas;
  // A copy, since canvases that are read are drawn more slowly, of which Chromium warns.
  const copy = Object.assign(document.createElement("canvas"), { width: width + 1, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = ink.includes("(") ? ink : `var(--${ink})`;
  context.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  context.fillRect(width, 0, 1, 1);
  const wanted = context.getImageData(width, 0, 1, 1).data;
  const { data } = context.getImageData(0, 0, width, height);
  const found = [];
  for (let k = 0; k < data.length; k += 4) {
    if ([0, 1, 2, 3].every((part) => Math.abs(data[k + part] - wanted[part]) <= 2)) {
      found.push([(k / 4) % width, Math.floor(k / 4 / width)]);
    }
  }
  return found;
}"""

CLEAR = """async () => {
  const { pointAt } = await import("/static/watch/charts/figure/pointer.js");
  pointAt(null);
  document.querySelector("main").replaceChildren();
}"""

FIND_AREA = """async (canvas) => {
  const { areaOf } = await import("/static/watch/charts/figure/axes.js");
  return areaOf(canvas.getContext("2d"), canvas.clientWidth, canvas.clientHeight);
}"""


@contextmanager
def blank_page(browser: Browser, address: str) -> Iterator[Page]:
    """Open a page that holds nothing but the stylesheets, with the headers of the server's; at the
    end it must not have reported any error.
    """
    headers = {"content-type": "text/html", **HEADERS}
    context = browser.new_context(
        viewport={"width": 700, "height": 700}, color_scheme="dark", timezone_id="Etc/UTC"
    )
    try:
        page, errors = context.new_page(), list[str]()
        page.route("**/blank", lambda route: route.fulfill(body=BLANK, headers=headers))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        page.goto(f"http://{address}/blank")
        yield page
        assert not errors
    finally:
        context.close()


@dataclass(frozen=True, slots=True)
class Area:
    """Where a chart draws its values, in pixels of its canvas."""

    left: float
    top: float
    width: float
    height: float

    def x(self, column: int) -> float:
        """The middle of a column."""
        return self.left + self.width * (column + 0.5) / COUNT


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart on a page, in an element of its own."""

    page: Page
    kind: str
    id: str

    def show(self, **content: Any) -> None:
        """Show a content, and wait until that has been drawn, if it is seen."""
        self.page.evaluate(
            SHOW, [self.kind, self.id, {"title": self.id, "times": TIMES, **content}]
        )

    def paint(self, **content: Any) -> None:
        """Show a content, and wait until there is a picture of it."""
        self.show(**content)
        self.page.wait_for_function(IS_PAINTED, arg=self.id)

    @property
    def root(self) -> Locator:
        return self.page.locator(f"#{self.id}")

    @property
    def plot(self) -> Locator:
        return self.root.get_by_role("slider")

    def ink(self, name: str) -> list[tuple[int, int]]:
        """Return the pixels (x, y) of a colour: one of the stylesheets' variables, or of CSS."""
        pixels = self.root.locator("canvas").evaluate(FIND_INK, name)
        return [(x, y) for x, y in pixels]

    def area(self) -> Area:
        box = self.root.locator("canvas").evaluate(FIND_AREA)
        return Area(box["left"], box["top"], box["width"], box["height"])

    def point(self, column: int, height: float = 0.5) -> None:
        """Move the mouse to a column, at a share of the height from below."""
        self.plot.scroll_into_view_if_needed()
        box, area = self.plot.bounding_box(), self.area()
        assert box
        y = area.top + area.height * (1 - height)
        self.page.mouse.move(box["x"] + area.x(column), box["y"] + y)

    def values(self) -> list[str]:
        """Return the names of the series and what is read out for each."""
        return [
            " ".join(text.split()) for text in self.root.locator(".keys > li").all_inner_texts()
        ]
