"""Test images in the page: chosen ones, and those that the network gets wrong."""

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from exporter import network as networks
from exporter.commands.common import WEIGHTS
from exporter.network.network import Network
from exporter.study import handmade
from harness.browser import open_page
from harness.server_process import ServerProcess
from tests.generate_page_files import EVERY
from tests.page.storage import read, wait_until
from tests.page.turning import Digits, expected_readings, open_section, readings

TRAINED = networks.load(WEIGHTS).network


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def examples(page: Page) -> Locator:
    open_section(page, "examples")
    return page.locator("#examples")


def shown(page: Page, name: str, digits: Digits) -> int:
    """Wait until a test image is the drawing, bit by bit, and return which."""
    text = page.locator("#examples-shown")
    expect(text).to_have_text(re.compile(name))
    found = re.match(r"Test image (\d+) is a (\d)", text.text_content() or "")
    assert found
    index = int(found[1])
    assert int(found[2]) == digits[1][index]
    pixels = np.array(read(page, "Array.from(store.state.pixels)"), np.float32)
    assert np.array_equal(pixels, digits[0][index])
    return index


def listed(examples: Locator) -> list[str]:
    """Return the names of the pictures in the list of wrong ones."""
    pictures = examples.locator("#examples-wrong button").all()
    return [picture.get_attribute("aria-label") or "" for picture in pictures]


def mistakes(network: Network, digits: Digits) -> list[str]:
    """Return the names of those that NumPy finds wrong."""
    found, labels = expected_readings(network, digits), digits[1][::EVERY]
    return [
        f"Test image {EVERY * k}, a {labels[k]} read as {found[k]}"
        for k in np.flatnonzero(found != labels)
    ]


def test_a_digit_is_the_drawing_as_it_is(page: Page, examples: Locator, digits: Digits) -> None:
    labels = digits[1][::EVERY]
    for label in range(10):
        button = examples.get_by_role("button", name=f"Show a {label}")
        button.click()
        index = shown(page, f"is a {label}", digits)
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(page.locator("#examples-shown")).not_to_contain_text(f"image {index} ")
        following = shown(page, f"is a {label}", digits)
        after = labels[index // EVERY + 1 : following // EVERY]
        assert label not in after


def test_any_shows_all_in_time(page: Page, examples: Locator, digits: Digits) -> None:
    button = examples.get_by_role("button", name="Show any digit")
    found = set()
    for _ in range(12):
        page.evaluate("window.before = window.testedStore.state.pixels")
        button.click()
        wait_until(page, "store.state.pixels !== window.before")
        found.add(shown(page, "Test image", digits))
    assert len(found) == 12


def test_drawing_over_it_ends_what_is_said_of_it(page: Page, examples: Locator) -> None:
    examples.get_by_role("button", name="Show a 3").click()
    text = page.locator("#examples-shown")
    expect(text).to_contain_text("is a 3")
    page.locator("#pad").click()
    expect(text).to_be_empty()


def test_the_wrong_ones_are_those_of_numpy(page: Page, examples: Locator, digits: Digits) -> None:
    expected = mistakes(TRAINED, digits)
    assert listed(examples) == expected
    first = examples.locator("#examples-wrong button").first
    first.click()
    index = shown(page, "but read as", digits)
    assert expected[0].startswith(f"Test image {index},")
    wait_until(page, f"store.state.answer?.label === {readings(page)[index // EVERY]}")


def test_they_follow_the_knobs(page: Page, examples: Locator, digits: Digits) -> None:
    page.locator("#knobs").get_by_role("button", name="Handmade").click()
    wait_until(page, "store.state.altered !== null")
    readings(page)
    expected = mistakes(handmade.build(), digits)
    more = examples.get_by_role("button", name="Show more")
    while more.is_visible():
        known = len(listed(examples))
        more.click()
        # The keyboard goes on where the new ones begin.
        expect(examples.locator("#examples-wrong button").nth(known)).to_be_focused()
    assert listed(examples) == expected
    expect(examples.get_by_text(f"{len(expected)} of 1,000")).to_be_visible()


def test_the_confusion_matrix_is_that_of_numpy(
    page: Page, examples: Locator, digits: Digits
) -> None:
    rows = examples.locator("table tbody tr").all()
    counts = [[int(cell or 0) for cell in row.locator("td").all_text_contents()] for row in rows]
    labels = digits[1][::EVERY]
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (labels, expected_readings(TRAINED, digits)), 1)
    assert np.array_equal(counts, expected)


def test_it_fits_a_phone(browser: Browser, server: ServerProcess) -> None:
    size = {"width": 360, "height": 640}
    with open_page(browser, server.http_address, viewport=size, has_touch=True) as opened:
        open_section(opened.page, "examples")
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
        for button in opened.page.locator("#examples button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 24
