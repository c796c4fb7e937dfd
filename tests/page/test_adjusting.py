"""Sliders that move and disturb the drawing, images that others load, networks of other shapes."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.server_process import ServerProcess
from tests.page.odd_networks import FLOWERS, MANY, WIDE
from tests.page.pen import draw, label, pixels, ready, settle, slide
from tests.page.storage import read, wait_until, write


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


def test_a_seven_that_is_shifted_is_read_as_something_else(page: Page) -> None:
    draw(page)
    seven = pixels(page)
    assert label(page) == "7"
    slide(page, "Shift right", 6)
    np.testing.assert_allclose(pixels(page)[:, 6:], seven[:, :-6], atol=1 / 255)
    assert label(page) != "7"
    page.get_by_role("button", name="Put back").first.click()
    np.testing.assert_array_equal(pixels(page), seven)
    assert label(page) == "7"


def test_sliders_say_their_value_and_are_moved_by_keys(page: Page) -> None:
    slider = page.get_by_label("Rotate")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".slider:has(#adjust-degrees) > output")).to_have_text("+3°")
    expect(slider).to_have_attribute("aria-valuetext", "+3°")
    expect(page.locator("#adjust-reset")).to_be_enabled()


def test_sliders_do_not_add_up(page: Page) -> None:
    draw(page)
    seven = pixels(page)
    for name, values in (
        ("Shift down", (10, -14, 14)),
        ("Scale", (0.5, 1.5)),
        ("Thicken", (2, -2)),
    ):
        for value in values:
            slide(page, name, value)
            assert not np.array_equal(pixels(page), seven), name
    slide(page, "Shift down", 0)
    slide(page, "Scale", 1)
    slide(page, "Thicken", 0)
    np.testing.assert_array_equal(pixels(page), seven)


def test_ink_appears_where_the_pen_is_though_the_drawing_is_moved(page: Page) -> None:
    for name, value in (("Shift right", 8), ("Rotate", 40), ("Scale", 0.8), ("Squeeze", 1.2)):
        slide(page, name, value)
    draw(page, ((4, 14), (24, 14)))
    image = pixels(page)
    assert (image[13:15, 5:24] > 0.9).all()
    assert not image[:10].any()
    assert not image[18:].any()


def test_noise_stays_until_it_is_asked_for_again(page: Page) -> None:
    draw(page)
    seven = pixels(page)
    again = page.get_by_role("button", name="Other noise")
    expect(again).to_be_disabled()
    slide(page, "Noise", 0.2)
    noisy = pixels(page)
    settle(page)
    np.testing.assert_array_equal(pixels(page), noisy)
    again.click()
    assert not np.array_equal(pixels(page), noisy)
    page.get_by_label("Invert").check()
    slide(page, "Noise", 0)
    np.testing.assert_allclose(pixels(page), 1 - seven, atol=1e-6)


def test_an_image_that_others_load_is_drawn_on_moved_and_undone(
    page: Page, digits: tuple[Batch, Labels]
) -> None:
    images, labels = digits
    draw(page)
    seven = pixels(page)
    load = "store.set({{ loaded: {{ pixels: Float32Array.from({}), name: 'test image 0' }} }})"
    slide(page, "Shift down", 2)
    read(page, load.format(images[4].tolist()))
    given = images[4].reshape(28, 28)
    np.testing.assert_allclose(pixels(page)[2:], given[:-2], atol=1e-6)
    slide(page, "Shift down", 0)
    np.testing.assert_allclose(pixels(page), given, atol=1e-6)
    assert label(page) == str(labels[4])
    draw(page, ((2, 2), (26, 2)))
    assert (pixels(page)[1:3, 3:26] > 0.9).all()
    page.get_by_role("button", name="Undo").first.click()
    page.get_by_role("button", name="Undo").first.click()
    np.testing.assert_array_equal(pixels(page), seven)


def test_what_is_loaded_before_the_network_is_there_is_shown_then(
    browser: Browser, odd: ServerProcess
) -> None:
    held: list[Route] = []
    with open_page(browser, odd.http_address) as opened:
        page = opened.page
        page.route("**/network", lambda route: held.append(route))
        with page.expect_request("**/network"):
            page.reload()
        write(page, "{ loaded: { pixels: Float32Array.of(1, 2, 3, 4), name: 'numbers' } }")
        assert read(page, "store.state.network") is None
        for route in held:
            route.continue_()
        ready(page)
        assert read(page, "[...store.state.pixels]") == [1, 2, 3, 4]
        expect(page.locator("#draw").get_by_label("Input 4", exact=True)).to_have_value("4")


@pytest.fixture
def odd_page(browser: Browser, odd: ServerProcess) -> Iterator[Page]:
    with open_page(browser, odd.http_address, viewport={"width": 1400, "height": 1000}) as opened:
        ready(opened.page)
        yield opened.page


def choose(page: Page, model: str) -> None:
    page.get_by_role("combobox", name="Model", exact=True).select_option(model)
    wait_until(page, f"store.state.network?.model === '{model}'")
    settle(page)


def test_numbers_that_are_no_image_have_sliders(odd_page: Page) -> None:
    page = odd_page
    expect(page.get_by_role("heading", name="Set the inputs")).to_be_visible()
    expect(page.locator("#pad")).to_be_hidden()
    expect(page.locator("#fields-hint")).to_contain_text("4 inputs, each a number from 0 to 10")
    field = page.locator("#draw").get_by_label("Input 3", exact=True)
    field.fill("2.5")
    slide(page, "Input 1, slider", 7.5)
    expect(page.locator("#draw").get_by_label("Input 1", exact=True)).to_have_value("7.5")
    expect(page.get_by_label("Input 3, slider")).to_have_value("2.5")
    assert read(page, "[...store.state.pixels]") == [7.5, 0, 2.5, 0]
    asked = np.array([[7.5, 0, 2.5, 0]], np.float32)
    assert label(page) == FLOWERS.labels[FLOWERS.forward(asked)[-1].argmax()]
    # What the server would refuse is not asked.
    field.fill("11")
    assert read(page, "[...store.state.pixels]") == [7.5, 0, 2.5, 0]
    assert field.evaluate("(field) => field.matches(':invalid')")
    page.get_by_role("button", name="Reset", exact=True).click()
    assert read(page, "[...store.state.pixels]") == [0, 0, 0, 0]


def test_many_numbers_are_a_list_that_scrolls(odd_page: Page) -> None:
    page = odd_page
    choose(page, "many")
    expect(page.locator("#fields-hint")).to_contain_text("100 inputs, each any number")
    page.locator("#draw").get_by_label("Input 100", exact=True).fill("-70.25")
    assert read(page, "store.state.pixels[99]") == -70.25
    assert page.locator("#field-list").evaluate("(list) => list.scrollHeight > list.clientHeight")
    assert label(page) in MANY.labels


def test_an_image_may_have_any_rows_and_columns_and_dark_ink(odd_page: Page) -> None:
    page = odd_page
    choose(page, "wide")
    expect(page.get_by_role("heading", name="Draw an image")).to_be_visible()
    box = page.locator("#pad").bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(20 / 12, rel=0.01)
    image = pixels(page, 12)
    assert (image == 1).all()
    draw(page, ((3, 6), (17, 6)), shape=(12, 20))
    image = pixels(page, 12)
    assert (image[5:7, 4:16] < 0.3).all()
    assert (image[:3] == 1).all()
    wanted = WIDE.forward(image.reshape(1, -1))[-1].argmax()
    assert label(page) == WIDE.labels[wanted]
    # Back to numbers: nothing of the drawing is sent to them.
    choose(page, "flowers")
    assert read(page, "store.state.pixels.length") == 4
