"""The page as a whole: whole, small, on its own, and usable on any screen and by keyboard."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from harness.browser import Watched, open_page
from harness.server_process import ServerProcess
from tests.page.reach import check_width, small_targets, tab_through
from tests.page.shared import put_back
from tests.page.storage import settle

MAX_BYTES = 150_000
KINDS = (".css", ".js", ".svg")
SECTIONS = ["draw", "answers", "watch", "inspect", "knobs", "examples", "share"]

SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1400, "height": 1000}},
    "tablet": {"viewport": {"width": 900, "height": 1100}},
    "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
}


@pytest.fixture(params=SCREENS, scope="module")
def sized(
    request: pytest.FixtureRequest, browser: Browser, server: ServerProcess
) -> Iterator[Watched]:
    with open_page(browser, server.http_address, **SCREENS[request.param]) as opened:
        yield opened


@pytest.fixture
def screen(sized: Watched) -> Iterator[Page]:
    """The page on screens of three sizes."""
    with put_back(sized):
        yield sized.page


def test_it_is_small(page: Page) -> None:
    """What a browser fetches to show it, headers included; answers and data come later."""
    settle(page)
    sizes: dict[str, int] = page.evaluate(
        """() => Object.fromEntries(["navigation", "resource"]
          .flatMap((kind) => performance.getEntriesByType(kind))
          .map(({ name, transferSize }) => [new URL(name).pathname, transferSize]))"""
    )
    files = {path: size for path, size in sizes.items() if path.endswith(KINDS) or path == "/"}
    parts = {f"/static/js/{part}/{part}.js" for part in SECTIONS}
    assert parts <= set(files)
    assert 0 not in files.values(), "what comes from a cache is not counted"
    assert sum(files.values()) < MAX_BYTES, sorted(files.items(), key=lambda item: -item[1])


def test_it_keeps_to_its_policy(opened: Watched) -> None:
    """The fixture fails for requests to other hosts; this asks the browser what it has refused."""
    page = opened.page
    page.add_init_script(
        """window.violations = [];
        document.addEventListener("securitypolicyviolation", (event) =>
          window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));"""
    )
    page.reload()
    settle(page)
    for section in SECTIONS:
        page.locator(f"#{section}").scroll_into_view_if_needed()
    assert page.evaluate("window.violations") == []
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.wait_for_function("window.violations.length === 1")
    assert "Content Security Policy" in opened.errors.pop()


def test_nothing_sticks_out(screen: Page) -> None:
    """No section is wider than the screen, nor the page; what is wide scrolls by itself."""
    screen.locator("#watch").get_by_role("button", name="Tables").click()
    check_width(screen, ("shell", *SECTIONS))
    for section in ("shell", *SECTIONS):
        wide = screen.locator(f"#{section}").evaluate(
            """(section) => {
              const edge = section.getBoundingClientRect().right + 1;
              const scrolls = (element) => element !== section
                && (getComputedStyle(element).overflowX !== "visible"
                  || scrolls(element.parentElement));
              return [...section.querySelectorAll("*")]
                .filter((element) => !element.closest(".visually-hidden, svg"))
                .filter((element) => element.getBoundingClientRect().right > edge)
                .filter((element) => !scrolls(element.parentElement))
                .map((element) => element.outerHTML.slice(0, 100));
            }"""
        )
        assert wide == []


def test_what_one_touches_is_large_enough(screen: Page) -> None:
    selector = "button, select, input, summary, [tabindex='0']"
    assert small_targets(screen, selector, "label") == []


def test_sections_stand_in_their_order(screen: Page) -> None:
    headings = screen.get_by_role("heading", level=2).evaluate_all(
        "(headings) => headings.map((heading) => heading.closest('section')?.id)"
    )
    assert [section for section in headings if section] == SECTIONS
    expect(screen.get_by_role("heading", level=1)).to_have_text("mlpserve")


def test_the_keyboard_reaches_all_of_it_in_order(page: Page) -> None:
    settle(page)
    visited: list[str | None] = []
    for focused in tab_through(page, 500):
        is_shown = focused.is_outlined or focused.has_shadow
        assert is_shown, f"its focus can't be seen: {focused.html}"
        if not visited or visited[-1] != focused.section:
            visited.append(focused.section)
    order = ["shell", *SECTIONS]
    assert visited == [section for section in order if section in visited]
    assert {"shell", "draw", "watch", "inspect", "knobs", "examples", "share"} <= set(visited)


def test_motion_is_reduced_for_those_who_ask(browser: Browser, server: ServerProcess) -> None:
    with open_page(browser, server.http_address, reduced_motion="reduce") as opened:
        settle(opened.page)
        moving = opened.page.evaluate(
            """() => [...document.querySelectorAll("*")].filter((element) => {
              const { transitionDuration, animationDuration } = getComputedStyle(element);
              return parseFloat(transitionDuration) > 0 || parseFloat(animationDuration) > 0;
            }).length"""
        )
        assert moving == 0


def test_themes_and_palettes_are_kept(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    positive = "getComputedStyle(document.documentElement).getPropertyValue('--positive')"
    page.get_by_label("Theme").select_option("light")
    light, safe = page.evaluate(background), page.evaluate(positive)
    page.get_by_role("button", name="Film colours").click()
    page.reload()
    assert page.evaluate(background) == light
    assert page.evaluate(positive) != safe
    expect(page.get_by_label("Theme")).to_have_value("light")
    film = page.get_by_role("button", name="Film colours")
    expect(film).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Theme").select_option("dark")
    assert page.evaluate(background) != light
    film.click()
    assert page.evaluate(positive) == safe
