"""Draws on the page's canvas, and reads what became of it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

from tests.page.storage import read, wait_until

Point = tuple[float, float]
"""A place on the canvas in pixels of the image: to the right, down."""

SEVEN: tuple[Point, ...] = ((8, 7), (20, 7), (13, 22))


def ready(page: Page) -> None:
    """Wait until the page has its network, and has shown it."""
    wait_until(page, "store.state.network !== null")
    settle(page)


def settle(page: Page) -> None:
    """Wait for the frame after next: what has happened is shown in the next."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pixels(page: Page, rows: int = 28) -> npt.NDArray[np.float32]:
    """Return the image that the network gets (rows, columns)."""
    settle(page)
    return np.array(read(page, "[...store.state.pixels]"), np.float32).reshape(rows, -1)


def label(page: Page) -> str:
    """Return the name of the label of what is drawn, once it is answered."""
    settle(page)
    wait_until(page, "store.state.answer?.of === store.state.pixels")
    return str(read(page, "store.state.answer.labelNames[store.state.answer.label]"))


def place(page: Page, point: Point, shape: tuple[int, int] = (28, 28)) -> Point:
    """Return where a point of an image (rows, columns) is in the window."""
    box = page.locator("#pad").bounding_box()
    assert box
    return box["x"] + point[0] * box["width"] / shape[1], box["y"] + point[1] * box[
        "height"
    ] / shape[0]


def draw(
    page: Page,
    points: tuple[Point, ...] = SEVEN,
    *,
    steps: int = 6,
    button: Any = "left",
    shape: tuple[int, int] = (28, 28),
) -> None:
    """Draw a stroke with the mouse, with so many events from point to point."""
    page.mouse.move(*place(page, points[0], shape))
    page.mouse.down(button=button)
    for point in points[1:]:
        page.mouse.move(*place(page, point, shape), steps=steps)
    page.mouse.up(button=button)


def slide(page: Page, name: str, value: float) -> None:
    """Set a slider."""
    page.get_by_label(name, exact=True).fill(str(value))
