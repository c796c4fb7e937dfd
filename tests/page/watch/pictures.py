"""Takes the pictures of the page /watch that the documents show, under the load of scene.py."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page

from harness.browser import open_page
from harness.server_process import ROOT
from harness.waiting import PATIENCE_SECONDS
from tests.page.few_colours import save
from tests.page.pen import settle
from tests.page.watch.scene import loaded

FOLDER = ROOT / "docs" / "watch"
COLOURS = 128
RANGE_SECONDS = 300.0
"""What the page's charts show, and as long is the load."""

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1400, "height": 900}},
    # Higher than the page, which draws only what is seen.
    "tall": {"viewport": {"width": 1400, "height": 4500}},
    "phone": PHONE,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of what a screen shows, or of one element there."""

    name: str
    screen: str
    element: str = ""
    theme: Literal["dark", "light"] = "dark"


PICTURES = (
    Picture("watch", "desktop"),
    Picture("light", "desktop", theme="light"),
    Picture("latency", "tall", "#latency"),
    Picture("versions", "tall", "#versions"),
    Picture("said", "tall", "#said"),
    Picture("workers", "tall", "#workers"),
    Picture("phone", "phone"),
)


def take(browser: Browser, folder: Path, seconds: float = RANGE_SECONDS) -> None:
    """Write the pictures into a folder, after a load of so many seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        repository = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, happen = stack.enter_context(loaded(repository, seconds))
        path = f"/watch#range={RANGE_SECONDS:.0f}"
        # Open all the while: what they show they have read themselves.
        pages = {
            name: stack.enter_context(
                open_page(browser, server.http_address, path, reduced_motion="reduce", **screen)
            ).page
            for name, screen in SCREENS.items()
        }
        happen()
        for picture in PICTURES:
            page = pages[picture.screen]
            page.set_default_timeout(1000 * PATIENCE_SECONDS)
            save(shot(page, picture), folder / f"{picture.name}.png", COLOURS)


def shot(page: Page, picture: Picture) -> bytes:
    """Return a picture as PNG."""
    page.emulate_media(color_scheme=picture.theme)
    page.get_by_role("row").nth(1).wait_for()
    settle(page)
    return (page.locator(picture.element) if picture.element else page).screenshot()
