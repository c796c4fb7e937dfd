"""What both pages are checked for: that they fit a screen, and what touch and keyboard reach."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

MIN_TARGET = 24
"""WCAG 2.2, 2.5.8: pixels that a target has at least, either way."""


def check_width(page: Page, sections: Iterable[str]) -> None:
    """Neither the page nor one of its sections is wider than the screen."""
    # Not innerWidth, which a phone makes as wide as what sticks out.
    assert page.viewport_size is not None
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for section in sections:
        box = page.locator(f"#{section}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width, section


def small_targets(page: Page, selector: str, target: str = "*") -> list[Any]:
    """Return what is too small to touch of the elements that a selector finds; of each counts what
    is around it and fits `target`, itself if nothing does.
    """
    found: list[Any] = page.evaluate(
        """([least, selector, target]) => [...document.querySelectorAll(selector)]
          .map((element) => [element, element.closest(target) ?? element])
          .map(([element, around]) => [element, around.getBoundingClientRect()])
          .filter(([, { width, height }]) => width > 0 && Math.min(width, height) < least)
          .map(([element, { width, height }]) =>
            [element.outerHTML.slice(0, 100), width, height])""",
        [MIN_TARGET, selector, target],
    )
    return found


@dataclass(frozen=True, slots=True)
class Focused:
    """An element that the keyboard has reached: the section or header that it is in, how it shows
    that it has the focus, and how it begins.
    """

    section: str | None
    is_outlined: bool
    has_shadow: bool
    html: str


def tab_through(page: Page, most: int) -> Iterator[Focused]:
    """Yield what the key Tab reaches, one after the other, until the end or so many."""
    page.evaluate("document.activeElement.blur()")
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
              const element = document.activeElement;
              if (element === document.body) return null;
              const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
              return [element.closest("section, header")?.id ?? null,
                outlineStyle !== "none" && outlineWidth !== "0px",
                boxShadow !== "none", element.outerHTML.slice(0, 100)];
            }"""
        )
        if found is None:
            return
        yield Focused(*found)
