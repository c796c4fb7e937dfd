"""The page's store, seen and changed from outside: as its parts see and change it."""

from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Page

_FIND = "async () => { window.testedStore = (await import('/static/js/store.js')).store; }"


def read(page: Page, expression: str) -> Any:
    """Return what an expression of `store` is."""
    page.evaluate(_FIND)
    return page.evaluate(f"() => {{ const store = window.testedStore; return {expression}; }}")


def wait_until(page: Page, expression: str) -> None:
    """Wait until an expression of `store` is true."""
    page.evaluate(_FIND)
    # Not as an async function: Playwright takes its promise for true.
    page.wait_for_function(f"() => {{ const store = window.testedStore; return {expression}; }}")


def write(page: Page, changes: str) -> None:
    """Change keys of the store; `changes` is an object in JavaScript."""
    page.evaluate(_FIND)
    page.evaluate(f"() => window.testedStore.set({changes})")


def draw(page: Page, pixels: Iterable[float]) -> None:
    """Have the page hold this image, as if it had been drawn."""
    page.evaluate(_FIND)
    page.evaluate(
        "(pixels) => window.testedStore.set({ pixels: Float32Array.from(pixels) })",
        [*map(float, pixels)],
    )


def load(page: Page, pixels: Iterable[float]) -> None:
    """Put this image on the canvas, where it stays when the network changes."""
    page.evaluate(_FIND)
    page.evaluate(
        """(pixels) => window.testedStore.set({
          loaded: { pixels: Float32Array.from(pixels), name: "", isAlone: true },
        })""",
        [*map(float, pixels)],
    )
    wait_until(page, "store.state.answer?.of.some((pixel) => pixel > 0)")


def settle(page: Page) -> None:
    """Wait until both answers are those to the image that the page holds."""
    wait_until(
        page,
        "['answer', 'canonical'].every((key) => store.state[key]?.of === store.state.pixels)",
    )
