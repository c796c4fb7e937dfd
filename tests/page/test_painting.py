"""Painting the weights of a neuron, in the page."""

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from exporter import network as networks
from exporter.commands.common import WEIGHTS
from tests.page.turning import (
    SIDE,
    Digits,
    check_answers,
    current_network,
    differing,
    drag,
    open_section,
    press,
    select,
)

TRAINED = networks.load(WEIGHTS).network


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def knobs(page: Page) -> Locator:
    open_section(page, "knobs")
    return page.locator("#knobs")


def test_painting_changes_the_weights_under_the_brush(
    page: Page, knobs: Locator, digits: Digits
) -> None:
    select(knobs, "Hidden layer 1", "neuron 3")
    knobs.get_by_label("wide brush").uncheck()
    canvas = knobs.locator("canvas")
    drag(page, canvas, (10, 5), (10, 20))
    press(knobs, "\N{MINUS SIGN} against")
    drag(page, canvas, (20, 8))
    press(knobs, "0 erase")
    drag(page, canvas, (2, 2))

    expected = TRAINED.layers[0].weights[2].reshape(SIDE, SIDE).copy()
    expected[10, 5:21] += np.float32(0.5)
    expected[20, 8] -= np.float32(0.5)
    expected[2, 2] = 0
    painted = current_network(page)
    assert differing(TRAINED, painted) == ["W1"]
    assert np.array_equal(painted.layers[0].weights[2], expected.ravel())
    others = np.arange(16) != 2
    assert np.array_equal(painted.layers[0].weights[others], TRAINED.layers[0].weights[others])
    check_answers(page, digits)


def test_a_stroke_is_soft_and_adds_once(page: Page, knobs: Locator, digits: Digits) -> None:
    knobs.get_by_label("Strength").fill("2")
    drag(page, knobs.locator("canvas"), (14, 10), (14, 12), (14, 10))
    before = TRAINED.layers[0].weights[0].reshape(SIDE, SIDE)
    added = current_network(page).layers[0].weights[0].reshape(SIDE, SIDE) - before
    expected = np.zeros((SIDE, SIDE))
    expected[14, 9:14] = 1, 2, 2, 2, 1
    for row in (13, 15):
        expected[row, 9:14] = 0.5, 1, 1, 1, 0.5
    assert np.allclose(added, expected, atol=1e-6)
    check_answers(page, digits)


def test_painting_by_keys(page: Page, knobs: Locator) -> None:
    knobs.get_by_label("wide brush").uncheck()
    canvas = knobs.get_by_role("application")
    canvas.focus()
    for key in ("Home", "ArrowDown", "ArrowRight", "Space"):
        canvas.press(key)
    weight = TRAINED.layers[0].weights[0, SIDE + 1] + np.float32(0.5)
    assert current_network(page).layers[0].weights[0, SIDE + 1] == weight
    expect(knobs.get_by_text(f"weight {weight:.3f}")).to_be_visible()
