"""Takes the pictures of the pages that the documents show.

`python -m tests.page.screenshots` writes those of the page / into docs/page, and in five minutes
those of /watch into docs/watch; with a folder, into page/ and watch/ there.
"""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from canonical import canonicalize
from exporter import network
from harness.browser import open_page, start_browser
from harness.drawings.hand import Drawing, draw_all
from harness.drawings.raster import pixels_of
from harness.drawings.sheet import make_sheet
from harness.server_process import ROOT, start_server
from tests.page.few_colours import save
from tests.page.pen import draw
from tests.page.pen import settle as show
from tests.page.storage import settle, wait_until, write
from tests.page.turning import drag, open_section, press, select
from tests.page.watch import pictures

FOLDER = ROOT / "docs" / "page"
COLOURS = 80
DESKTOP = {"viewport": {"width": 1360, "height": 900}}
TALL = {"viewport": {"width": 1400, "height": 2400}}
"""Higher than any section, whose pictures then need no scrolling."""
SEVEN = next(
    drawing for drawing in draw_all() if (drawing.digit, drawing.way) == (7, "curved, crossed")
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page, or of one section, after something has been done to it."""

    name: str
    section: str = ""
    prepare: Callable[[Page], None] = lambda _: None
    options: dict[str, Any] = field(default_factory=lambda: DESKTOP)


def look_inside(page: Page) -> None:
    """Choose a neuron."""
    write(page, "{ selection: { layer: 0, neuron: 12 } }")


def turn_knobs(page: Page) -> None:
    """Paint on the weights of a neuron, and wait for what becomes of the accuracy."""
    open_section(page, "knobs")
    knobs = page.locator("#knobs")
    select(knobs, "Hidden layer 1", "neuron 13")
    press(knobs, "\N{MINUS SIGN} against")
    drag(page, knobs.locator("canvas"), (5, 6), (5, 20), (10, 18), (22, 13))
    wait_until(page, "store.state.readings.network === store.state.altered")
    page.mouse.move(0, 0)


def look_at_drawing(page: Page) -> None:
    """Scroll to where one draws."""
    page.locator("#draw").evaluate("(section) => section.scrollIntoView()")


PICTURES = (
    Picture("page"),
    Picture("neuron", "#inspect", look_inside, TALL),
    Picture("knobs", "#knobs", turn_knobs, TALL),
    Picture("phone", "", look_at_drawing, pictures.PHONE),
)


def take(browser: Browser, address: str, folder: Path) -> None:
    """Write the pictures of the page at an address into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        with shown(browser, address, picture) as page:
            target = page.locator(picture.section) if picture.section else page
            save(target.screenshot(), folder / f"{picture.name}.png", COLOURS)
    save_sheet(folder / "drawings.png")


@contextmanager
def shown(browser: Browser, address: str, picture: Picture) -> Iterator[Page]:
    """Open the page in the dark, draw a seven, and prepare it for a picture."""
    options = {"color_scheme": "dark", "reduced_motion": "reduce", **picture.options}
    with open_page(browser, address, **options) as opened:
        page = opened.page
        wait_until(page, "store.state.networkOf !== ''")
        write_digit(page, SEVEN)
        picture.prepare(page)
        settle(page)
        page.wait_for_load_state("networkidle")
        show(page)
        yield page


def write_digit(page: Page, drawing: Drawing) -> None:
    """Draw a digit with the mouse, nearly as the script's hand does: with every fourth point."""
    for stroke in drawing.strokes:
        points = [*stroke[:-1:4], stroke[-1]]
        draw(page, tuple([(float(x), float(y)) for x, y in points]), steps=1)
    page.mouse.move(0, 0)


def save_sheet(path: Path) -> None:
    """Write the picture of all drawings, those framed that canonical mode reads wrong."""
    saved = network.load(ROOT / "exporter" / "weights" / "digits.npz")
    drawings = draw_all()
    digits, pixels = np.array([drawing.digit for drawing in drawings]), pixels_of(drawings)
    seen = canonicalize(pixels, saved.image_layout).batch
    is_wrong = saved.network.forward(seen)[-1].argmax(axis=1) != digits
    sheet = io.BytesIO()
    Image.fromarray(make_sheet(pixels, digits, is_wrong)).save(sheet, "PNG")
    save(sheet.getvalue(), path, COLOURS)


def main(folder: Path = FOLDER.parent) -> None:
    """Start a server of the shipped network, and take all pictures."""
    with tempfile.TemporaryDirectory() as repository, start_browser() as browser:
        command = [sys.executable, "-m", "exporter", "export", "--repository", repository]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        print("The page / ...")
        with start_server(Path(repository)) as server:
            take(browser, server.http_address, folder / FOLDER.name)
        print(f"The page /watch, which is watched for {pictures.RANGE_SECONDS:.0f} s ...")
        pictures.take(browser, folder / pictures.FOLDER.name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
