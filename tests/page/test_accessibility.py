"""axe-core finds nothing serious on the page, however one looks at it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.server_process import ServerProcess, start_server
from tests.page.storage import draw, settle

SERIOUS = ("serious", "critical")

DESKTOP = {"width": 1400, "height": 1000}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
}


def as_it_opens(_page: Page) -> None:
    pass


def in_film_colours(page: Page) -> None:
    page.get_by_role("button", name="Film colours").click()


def as_tables(page: Page) -> None:
    page.locator("#watch").get_by_role("button", name="Tables").click()


LOOKS: dict[str, tuple[Literal["dark", "light"], Callable[[Page], None]]] = {
    "dark": ("dark", as_it_opens),
    "light": ("light", as_it_opens),
    "film, dark": ("dark", in_film_colours),
    "film, light": ("light", in_film_colours),
    "tables": ("dark", as_tables),
}


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [
        (violation["id"], node["html"][:200], node["failureSummary"])
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ] == []


def check_all(page: Page, image: Batch, change: Callable[[Page], None] = as_it_opens) -> None:
    """Check the page with an image, and with all opened that can be."""
    settle(page)
    draw(page, image)
    settle(page)
    change(page)
    page.evaluate(
        "document.querySelectorAll('details').forEach((details) => { details.open = true; })"
    )
    check(page)


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_serious(shared_page: Page, look: str, digits: tuple[Batch, Labels]) -> None:
    scheme, change = LOOKS[look]
    shared_page.emulate_media(color_scheme=scheme)
    check_all(shared_page, digits[0][0], change)


def test_nothing_serious_on_a_phone(
    browser: Browser, server: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    with open_page(browser, server.http_address, color_scheme="light", **PHONE) as opened:
        check_all(opened.page, digits[0][0])


@pytest.fixture
def guarded(repository: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    tokens = tmp_path / "tokens"
    tokens.write_text("page: a-token-of-this-test-0123456789\n")
    with start_server(repository, "--tokens-file", str(tokens)) as server:
        yield server


def test_nothing_serious_in_the_dialog(browser: Browser, guarded: ServerProcess) -> None:
    with open_page(browser, guarded.http_address) as opened:
        expect(opened.page.get_by_role("dialog")).to_be_visible()
        check(opened.page)
        opened.page.keyboard.press("Escape")
        expect(opened.page.locator("#banner")).not_to_be_empty()
        check(opened.page)
        opened.errors.clear()
