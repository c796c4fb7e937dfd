"""Drawing: with a mouse, fingers, a pen and keys."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, expect

from harness.browser import Watched, open_page
from harness.server_process import ServerProcess
from tests.page.pen import draw, label, pixels, place, ready, settle
from tests.page.storage import read


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def own_page(opened: Watched) -> Page:
    """A page that no other test sees."""
    ready(opened.page)
    return opened.page


def test_a_seven_is_read_as_seven(page: Page) -> None:
    draw(page)
    image = pixels(page)
    assert label(page) == "7"
    # As soft as MNIST's: of the pixels with ink, about half are grey.
    grey = ((image > 0.1) & (image < 0.9)).sum() / (image > 0.1).sum()
    assert image.max() == 1
    assert 0.35 < grey < 0.75


def test_a_fast_stroke_has_no_gaps(page: Page) -> None:
    draw(page, ((5, 3), (23, 25)), steps=1)
    image = pixels(page)
    # Each row between has ink where the line passes.
    for row in range(4, 25):
        column = int(5 + (row + 0.5 - 3) * 18 / 22)
        assert image[row, column] > 0.8, row


def test_events_that_were_held_back_are_drawn_too(own_page: Page) -> None:
    page = own_page
    page.evaluate(
        """() => {
          const pad = document.getElementById("pad");
          const box = pad.getBoundingClientRect();
          const at = ([x, y]) => ({
            clientX: box.left + (x * box.width) / 28, clientY: box.top + (y * box.height) / 28,
            pointerId: 1, pointerType: "mouse", buttons: 1,
          });
          pad.setPointerCapture = () => {};
          pad.dispatchEvent(new PointerEvent("pointerdown", at([5, 20])));
          const coalescedEvents = [[14, 4], [23, 20]].map(
            (point) => new PointerEvent("pointermove", at(point)));
          pad.dispatchEvent(new PointerEvent("pointermove", { ...at([23, 20]), coalescedEvents }));
          pad.dispatchEvent(new PointerEvent("pointerup", at([23, 20])));
        }"""
    )
    image = pixels(page)
    assert image[4, 13] > 0.8
    assert image[19, 14] == 0


def test_the_pen_goes_on_beyond_the_canvas(page: Page) -> None:
    draw(page, ((14, 14), (40, 14), (40, 22), (14, 22)))
    image = pixels(page)
    assert image[14, 27] == 1
    assert image[21, 27] == 1
    assert not image[18].any()


def test_steps_are_undone_and_redone(page: Page) -> None:
    undo, redo, clear = (
        page.locator("#draw").get_by_role("button", name=name) for name in ("Undo", "Redo", "Clear")
    )
    expect(undo).to_be_disabled()
    expect(page.get_by_text("draw here")).to_be_visible()
    draw(page, ((4, 6), (24, 6)))
    first = pixels(page)
    draw(page, ((4, 20), (24, 20)))
    both = pixels(page)
    expect(page.get_by_text("draw here")).to_be_hidden()
    undo.click()
    np.testing.assert_array_equal(pixels(page), first)
    redo.click()
    np.testing.assert_array_equal(pixels(page), both)
    clear.click()
    assert not pixels(page).any()
    expect(clear).to_be_disabled()
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(pixels(page), both)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert not pixels(page).any()
    expect(undo).to_be_disabled()
    page.keyboard.press("Control+Shift+z")
    np.testing.assert_array_equal(pixels(page), first)
    # What is drawn now takes the place of what was undone.
    draw(page, ((14, 4), (14, 24)))
    expect(redo).to_be_disabled()


@pytest.mark.parametrize("way", ["eraser", "right button"])
def test_ink_is_erased(page: Page, way: str) -> None:
    draw(page, ((4, 14), (24, 14)))
    before = pixels(page)
    if way == "eraser":
        page.get_by_role("button", name="Eraser").click()
        draw(page, ((14, 8), (14, 20)))
    else:
        draw(page, ((14, 8), (14, 20)), button="right")
    image = pixels(page)
    assert not image[13:15, 13:15].any()
    np.testing.assert_array_equal(image[:, :12], before[:, :12])
    np.testing.assert_array_equal(image[:, 16:], before[:, 16:])


def test_the_brush_has_a_size(page: Page) -> None:
    ink = []
    for width in ("1", "2.6", "6"):
        page.get_by_label("Brush", exact=True).fill(width)
        draw(page, ((4, 14), (24, 14)))
        ink.append(pixels(page).sum())
        page.locator("#undo").click()
    # A line and its round ends; the last one has much of them.
    lengths = [20 * width + np.pi * width**2 / 4 for width in (1, 2.6, 6)]
    np.testing.assert_allclose(ink, lengths, rtol=0.03)


def test_keys_draw(page: Page) -> None:
    pad = page.get_by_role("application", name="Drawing")
    pad.focus()
    # From the middle, at row 15 and column 15 counted from 1.
    for key in (
        ("ArrowUp",) * 6 + ("Space",) + ("ArrowDown",) * 10 + ("Space",) + ("ArrowRight",) * 5
    ):
        page.keyboard.press(key)
    expect(page.locator("#pad-status")).to_have_text("row 19, column 20, pen up")
    image = pixels(page)
    assert (image[8:19, 14] == 1).all()
    assert not image[:, 17:].any()
    page.keyboard.press("Enter")
    expect(page.locator("#pad-status")).to_have_text("row 19, column 20, pen down")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    assert pixels(page)[18, 19] == 1
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(pixels(page), image)


def test_pixels_and_strokes_are_shown(page: Page) -> None:
    draw(page, ((8, 7), (20, 19)))
    page.mouse.move(0, 0)
    settle(page)
    shown = shot(page)
    side = shown.shape[0] / 28
    middles = ((np.arange(28) + 0.5) * side).astype(int)
    np.testing.assert_allclose(shown[np.ix_(middles, middles)] / 255, pixels(page), atol=0.02)
    # Within a pixel all points are equal; of the strokes they aren't.
    row, column = (int((at + 0.5) * side) for at in (9, 12))
    near = np.ix_(np.arange(row - 2, row + 3), np.arange(column - 2, column + 3))
    assert np.ptp(shown[near]) < 5
    page.get_by_role("button", name="Strokes").click()
    settle(page)
    assert np.ptp(shot(page)[near]) > 20


def shot(page: Page) -> npt.NDArray[np.int64]:
    """Return the canvas as it looks, as levels of grey (height, width)."""
    picture = Image.open(io.BytesIO(page.locator("#pad").screenshot()))
    return np.asarray(picture.convert("L")).astype(np.int64)


def test_the_image_is_set_once_a_frame_at_most(own_page: Page) -> None:
    page = own_page
    counted = page.evaluate(
        """async () => {
          const { store } = await import("/static/js/store.js");
          const pad = document.getElementById("pad");
          const { left, top } = pad.getBoundingClientRect();
          pad.setPointerCapture = () => {};
          const send = (name, x) => pad.dispatchEvent(new PointerEvent(
            name, { pointerId: 1, clientX: left + x, clientY: top + 50, buttons: 1 }));
          const images = [];
          store.watch(["pixels"], () => images.push(store.state.pixels));
          send("pointerdown", 10);
          for (let x = 11; x < 200; x += 1) send("pointermove", x);
          send("pointerup", 200);
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return images.length;
        }"""
    )
    # Once when the watching began, and once for all events.
    assert counted == 2


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    session.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
    )


def test_a_finger_draws_and_the_page_stays_unless_it_is_elsewhere(
    browser: Browser, server: ServerProcess
) -> None:
    options: dict[str, Any] = {
        "viewport": {"width": 360, "height": 640},
        "has_touch": True,
        "is_mobile": True,
    }
    with open_page(browser, server.http_address, **options) as opened:
        page = opened.page
        ready(page)
        page.locator("#pad").scroll_into_view_if_needed()
        page.evaluate("() => document.getElementById('pad').scrollIntoView({ block: 'center' })")
        before = page.evaluate("scrollY")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        session = page.context.new_cdp_session(page)
        touch(session, "touchStart", place(page, (14, 24)))
        for row in (18, 12, 6):
            touch(session, "touchMove", place(page, (14, row)))
        touch(session, "touchEnd")
        assert (pixels(page)[7:23, 13:15] > 0.9).all()
        assert page.evaluate("scrollY") == before
        x, y = place(page, (14, 32))
        touch(session, "touchStart", (x, y))
        for up in (40, 80, 120):
            touch(session, "touchMove", (x, y - up))
        touch(session, "touchEnd")
        page.wait_for_function("(before) => scrollY > before", arg=before)


def test_a_pen_draws_wider_where_it_presses_harder(own_page: Page) -> None:
    page = own_page
    session = page.context.new_cdp_session(page)

    def pen(kind: str, point: tuple[float, float], force: float) -> None:
        x, y = place(page, point)
        session.send(
            "Input.dispatchMouseEvent",
            {
                "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1,
                "pointerType": "pen", "force": force,
            },
        )  # fmt: skip

    pen("mousePressed", (4, 14), 0.1)
    pen("mouseMoved", (24, 14), 1.0)
    pen("mouseReleased", (24, 14), 0.0)
    widths = pixels(page)[:, 5:24].sum(axis=0)
    assert (np.diff(widths) > 0).all()
    assert widths[-1] > 2.5 * widths[0]
    # Its other end erases.
    before = pixels(page).sum()
    page.evaluate(
        """([x, y]) => {
          const pad = document.getElementById("pad");
          pad.setPointerCapture = () => {};
          const at = { clientX: x, clientY: y, pointerId: 9, pointerType: "pen", pressure: 0.5 };
          pad.dispatchEvent(new PointerEvent("pointerdown", { ...at, button: 5, buttons: 32 }));
          pad.dispatchEvent(new PointerEvent("pointerup", { ...at, button: 5 }));
        }""",
        [*place(page, (14, 14))],
    )
    assert pixels(page).sum() < before - 2


def test_only_what_is_drawn_on_keeps_touches_to_itself(page: Page) -> None:
    expect(page.locator("#knobs-painting")).to_be_visible()
    kept = (
        "[...document.querySelectorAll('*')]"
        ".filter((each) => getComputedStyle(each).touchAction === 'none')"
    )
    assert page.evaluate(f"{kept}.map((e) => e.id)") == ["pad", "knobs-painting"]


def test_each_image_is_a_new_array_of_levels_that_bytes_can_say(page: Page) -> None:
    before = read(page, "(globalThis.before = store.state.pixels).length")
    draw(page)
    levels = pixels(page) * 255
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    assert read(page, "globalThis.before !== store.state.pixels")
    assert before == 784
