"""The page under load is usable in the dark and in the light, on a phone and by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.server_process import ServerProcess
from tests.conftest import connected
from tests.page.reach import check_width, small_targets, tab_through
from tests.page.test_accessibility import DESKTOP, PHONE, check
from tests.page.watch.sending import Sent

SECTIONS = ["shell", "glance", "latency", "calls", "versions", "said", "saturation", "workers"]


@pytest.fixture(scope="module", params=["desktop", "phone"])
def page(
    request: pytest.FixtureRequest,
    browser: Browser,
    served: ServerProcess,
    digits: tuple[Batch, Labels],
) -> Iterator[Page]:
    """The page on screens of two sizes, with something in each section."""
    options = {"viewport": DESKTOP} if request.param == "desktop" else PHONE
    with open_page(browser, served.http_address, "/watch#range=900", **options) as opened:
        opened.page.get_by_text("2 of 2 ready").wait_for()
        with connected(served) as channel:
            Sent().send(channel, digits[0])
        opened.page.get_by_role("rowheader", name="ModelInfer").wait_for()
        opened.page.get_by_role("table", name="Labels").first.wait_for()
        yield opened.page


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_serious(page: Page, theme: str) -> None:
    page.get_by_label("Theme").select_option(theme)
    check(page)


def test_nothing_sticks_out(page: Page) -> None:
    """What is wide scrolls by itself."""
    check_width(page, SECTIONS)


def test_what_one_touches_is_large_enough(page: Page) -> None:
    assert small_targets(page, "a, button, select, [tabindex='0']") == []


def test_the_keyboard_reaches_all_of_it_in_order(page: Page) -> None:
    visited: list[str] = []
    for focused in tab_through(page, 200):
        assert focused.is_outlined, f"its focus can't be seen: {focused.html}"
        assert focused.section is not None, focused.html
        if not visited or visited[-1] != focused.section:
            visited.append(focused.section)
    assert visited == [section for section in SECTIONS if section in visited]
    assert {"shell", "latency", "calls", "versions", "saturation", "workers"} <= set(visited)


def test_it_begins_and_ends_with_the_page_that_draws(page: Page) -> None:
    """Each leads to the other, and both have the theme that one has chosen."""
    page.get_by_label("Theme").select_option("light")
    page.get_by_role("link", name="Draw a digit").click()
    expect(page.get_by_label("Theme")).to_have_value("light")
    page.get_by_role("link", name="Watch the server").click()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    expect(page.get_by_label("Theme")).to_have_value("light")
