"""Turning the knobs of the network, in the page."""

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from exporter import network as networks
from exporter.commands.common import WEIGHTS
from exporter.network.network import Batch, Layer, Network
from exporter.study import handmade
from harness.browser import open_page
from harness.server_process import ServerProcess
from modelfile.activations import ACTIVATIONS
from tests.page.odd_networks import MANY
from tests.page.storage import read, wait_until, write
from tests.page.turning import (
    ALTERED,
    Digits,
    check_answers,
    choice,
    current_network,
    differing,
    drag,
    expected_readings,
    expected_score,
    open_section,
    press,
    readings,
    select,
)

TRAINED = networks.load(WEIGHTS).network

TARGETS = "button, select, input:not([type=checkbox]), label:has(> [type=checkbox])"
"""What a finger hits; of a checkbox, its whole label."""


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def knobs(page: Page) -> Locator:
    open_section(page, "knobs")
    return page.locator("#knobs")


def test_the_trained_network_stands_beside(page: Page, knobs: Locator, digits: Digits) -> None:
    expect(knobs.locator(".score output").first).to_have_text(expected_score(TRAINED, digits))
    assert np.array_equal(readings(page), expected_readings(TRAINED, digits))
    expect(knobs.get_by_role("button", name="Back to the server's network")).to_be_hidden()


def altered(
    layer: int, alter: Callable[[Batch, Batch], None], activation: str = "sigmoid"
) -> Network:
    """Return the trained network with one layer's weights and biases altered."""
    layers = list(TRAINED.layers)
    weights, biases = layers[layer].weights.copy(), layers[layer].biases.copy()
    alter(weights, biases)
    layers[layer] = Layer(weights, biases, activation)
    return Network(tuple(layers), TRAINED.labels)


def test_a_deeper_weight(page: Page, knobs: Locator, digits: Digits) -> None:
    def alter(weights: Batch, _biases: Batch) -> None:
        weights[4, 6] = -4.25

    select(knobs, "Hidden layer 2", "neuron 5")
    knobs.get_by_label("neuron 7, as a number").fill("-4.25")
    knobs.get_by_label("neuron 7, as a number").press("Enter")
    assert not differing(altered(1, alter), current_network(page))
    check_answers(page, digits)


def test_a_bias_by_keys(page: Page, knobs: Locator, digits: Digits) -> None:
    select(knobs, "Output layer", "output 8")
    slider = knobs.get_by_role("slider", name="Bias")
    slider.press("ArrowRight")
    moved = np.float32(slider.input_value())
    assert moved > TRAINED.layers[2].biases[8]

    def alter(_weights: Batch, biases: Batch) -> None:
        biases[8] = moved

    assert not differing(altered(2, alter), current_network(page))
    check_answers(page, digits)


def test_silence(page: Page, knobs: Locator, digits: Digits) -> None:
    def alter(weights: Batch, _biases: Batch) -> None:
        weights[:, 3] = 0

    select(knobs, "Hidden layer 1", "neuron 4")
    press(knobs, "Silence")
    assert not differing(altered(1, alter), current_network(page))
    expect(knobs.get_by_role("button", name="Silence")).to_be_disabled()
    check_answers(page, digits)


def test_a_silenced_output_is_never_read(page: Page, knobs: Locator, digits: Digits) -> None:
    select(knobs, "Output layer", "output 7")
    press(knobs, "Silence")
    check_answers(page, digits)
    assert 7 not in readings(page)


def test_drop_all_biases(page: Page, knobs: Locator, digits: Digits) -> None:
    press(knobs, "Drop all biases")
    network = current_network(page)
    assert differing(TRAINED, network) == ["b1", "b2", "b3"]
    assert not any(layer.biases.any() for layer in network.layers)
    check_answers(page, digits)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS.keys() - {"sigmoid"}))
def test_other_squishes(page: Page, knobs: Locator, digits: Digits, activation: str) -> None:
    choice(knobs, "Hidden layer 2").select_option(activation)
    assert not differing(altered(1, lambda *_: None, activation), current_network(page))
    check_answers(page, digits)


def test_noise_is_as_strong_as_the_slider_says(page: Page, knobs: Locator, digits: Digits) -> None:
    noise, seed = knobs.get_by_label("Noise"), knobs.get_by_label("Random seed")
    noise.fill("1.5")
    noise.fill("0.5")
    noisy = current_network(page)
    assert differing(TRAINED, noisy) == ["W1", "W2", "W3"]
    for before, after in zip(TRAINED.layers, noisy.layers, strict=True):
        added = after.weights - before.weights
        strength = np.sqrt(np.mean(added**2) / np.mean(before.weights**2))
        # A sample of 160 numbers or more, drawn from a seed.
        assert abs(strength - 0.5) < 0.1
    check_answers(page, digits)
    seed.fill("2")
    seed.press("Enter")
    assert differing(noisy, current_network(page)) == ["W1", "W2", "W3"]
    seed.fill("1")
    seed.press("Enter")
    assert not differing(noisy, current_network(page))
    noise.fill("0")
    assert read(page, "store.state.altered") is None


def test_start_from_the_handmade_network(page: Page, knobs: Locator, digits: Digits) -> None:
    press(knobs, "Handmade")
    wait_until(page, "store.state.altered !== null")
    assert not differing(handmade.build(), current_network(page))
    check_answers(page, digits)


def test_start_from_zero(page: Page, knobs: Locator, digits: Digits) -> None:
    press(knobs, "All zero")
    assert not any(array.any() for array in current_network(page).parameters)
    check_answers(page, digits)
    assert not readings(page).any()


def test_start_from_random(page: Page, knobs: Locator, digits: Digits) -> None:
    press(knobs, "Random")
    network = current_network(page)
    for layer, gain in zip(network.layers, (4, 4, 1), strict=True):
        assert not layer.biases.any()
        # As training does: Glorot's, with a gain for sigmoids.
        deviation = gain * np.sqrt(2 / sum(layer.weights.shape))
        assert abs(layer.weights.std() / deviation - 1) < 0.2
    check_answers(page, digits)
    knobs.get_by_label("Random seed").fill("7")
    knobs.get_by_label("Random seed").press("Enter")
    assert differing(network, current_network(page)) == ["W1", "W2", "W3"]


def test_undo_and_back(page: Page, knobs: Locator) -> None:
    state = knobs.locator("#knobs-state")
    expect(state).to_have_text("The server's network answers. Turn a knob, and yours does.")
    press(knobs, "Drop all biases")
    expect(state).to_have_text(ALTERED)
    drag(page, knobs.locator("canvas"), (10, 5), (12, 20), (14, 5))
    press(knobs, "Undo")
    assert differing(TRAINED, current_network(page)) == ["b1", "b2", "b3"]
    press(knobs, "Back to the server's network")
    assert read(page, "store.state.altered") is None
    wait_until(page, "store.state.answer?.source === 'server'")
    press(knobs, "Undo")
    assert differing(TRAINED, current_network(page)) == ["b1", "b2", "b3"]
    press(knobs, "Undo")
    expect(state).to_have_text("The server's network answers. Turn a knob, and yours does.")
    expect(knobs.get_by_role("button", name="Undo")).to_be_disabled()


def test_the_selection_is_shared(page: Page, knobs: Locator) -> None:
    select(knobs, "Output layer", "output 3")
    assert read(page, "store.state.selection") == {"layer": 2, "neuron": 3}
    write(page, "{ selection: { layer: 0, neuron: 9 } }")
    expect(choice(knobs, "Layer")).to_have_value("0")
    expect(choice(knobs, "Neuron")).to_have_value("9")


def test_the_sheet_is_loaded_when_it_is_needed(browser: Browser, server: ServerProcess) -> None:
    with open_page(browser, server.http_address, viewport={"width": 360, "height": 640}) as opened:
        requested: list[str] = []
        opened.page.on("request", lambda request: requested.append(request.url))
        wait_until(opened.page, "store.state.answer !== null")
        assert not [url for url in requested if "digits.bin" in url]
        open_section(opened.page, "knobs")
        assert len([url for url in requested if "digits.bin" in url]) == 1


def test_it_fits_a_phone(browser: Browser, server: ServerProcess) -> None:
    size = {"width": 360, "height": 640}
    with open_page(browser, server.http_address, viewport=size, has_touch=True) as opened:
        open_section(opened.page, "knobs")
        knobs = opened.page.locator("#knobs")
        press(knobs, "Random")
        for layer in ("Hidden layer 1", "Output layer"):
            choice(knobs, "Layer").select_option(layer)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
            for target in knobs.locator(TARGETS).all():
                box = target.bounding_box()
                if box:
                    side = min(box["width"], box["height"])
                    assert side >= 24, target.evaluate("(found) => found.outerHTML")


def test_a_network_that_reads_no_images(browser: Browser, odd: ServerProcess) -> None:
    with open_page(browser, odd.http_address) as opened:
        page = opened.page
        write(page, "{ model: 'many', version: 1 }")
        wait_until(page, "store.state.network?.model === 'many'")
        knobs = page.locator("#knobs")
        knobs.scroll_into_view_if_needed()
        expect(knobs.get_by_text("This model reads something else.")).to_be_visible()
        expect(knobs.get_by_role("button", name="Handmade")).to_be_disabled()
        expect(knobs.get_by_text("The 32 largest of its 100 weights")).to_be_visible()
        weights = MANY.layers[0].weights.copy()
        strongest = int(np.abs(weights[0]).argmax())
        number = knobs.get_by_label(f"input {strongest + 1}, as a number")
        number.fill("0.5")
        number.press("Enter")
        weights[0, strongest] = 0.5
        assert np.array_equal(current_network(page).layers[0].weights, weights)
        assert read(page, "store.state.answer.source") == "page"
        assert read(page, "store.state.sheet") is None
