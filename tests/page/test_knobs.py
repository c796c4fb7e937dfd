"""Turning the knobs of the network, in the page."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from exporter import network as networks
from exporter.commands.common import WEIGHTS
from exporter.network.network import Batch, Layer, Network
from exporter.study import handmade
from harness.browser import open_page
from harness.server_process import ROOT, ServerProcess, start_server
from mlpserve import Client
from modelfile.activations import ACTIVATIONS
from tests.generate_page_files import EVERY
from tests.page.odd_networks import MANY
from tests.page.storage import draw, read, wait_until, write
from tests.page.turning import (
    Digits,
    current_network,
    expected_readings,
    expected_score,
    open_section,
    readings,
)

TRAINED = networks.load(WEIGHTS).network
SIDE = 28
ALTERED = "This page now answers with your network, not the server's."


@pytest.fixture
def knobs(page: Page) -> Locator:
    open_section(page, "knobs")
    return page.locator("#knobs")


def press(knobs: Locator, name: str) -> None:
    knobs.get_by_role("button", name=name, exact=True).click()


def choice(knobs: Locator, name: str) -> Locator:
    return knobs.get_by_role("combobox", name=name, exact=True)


def select(knobs: Locator, layer: str, neuron: str) -> None:
    choice(knobs, "Layer").select_option(layer)
    choice(knobs, "Neuron").select_option(neuron)


def differing(before: Network, after: Network) -> list[str]:
    """Which arrays of two networks differ: W1, b1 and so on, a1 for the activation."""
    found = []
    for index, (old, new) in enumerate(zip(before.layers, after.layers, strict=True), start=1):
        changes = {
            "W": not np.array_equal(old.weights, new.weights),
            "b": not np.array_equal(old.biases, new.biases),
            "a": old.activation != new.activation,
        }
        found += [f"{kind}{index}" for kind, differs in changes.items() if differs]
    return found


def check_answers(page: Page, digits: Digits) -> None:
    """The readings, the score and the answer about the drawing are NumPy's."""
    network = current_network(page)
    assert np.array_equal(readings(page), expected_readings(network, digits))
    score = page.locator("#knobs .score:visible output").last
    expect(score).to_have_text(expected_score(network, digits))
    pixels = np.array([read(page, "Array.from(store.get('pixels'))")], np.float32)
    answer = read(page, "store.get('answer').activations.at(-1)")
    assert np.allclose(answer, network.forward(pixels)[-1][0], atol=1e-5)
    assert read(page, "store.get('answer').source") == "page"
    expect(page.get_by_text(ALTERED)).to_be_visible()


def drag(page: Page, canvas: Locator, *places: tuple[int, int]) -> None:
    """Press the mouse at the first cell (row, column), and move it over the others."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    points = [
        (
            box["x"] + (column + 0.5) * box["width"] / SIDE,
            box["y"] + (row + 0.5) * box["height"] / SIDE,
        )
        for row, column in places
    ]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def test_the_trained_network_stands_beside(page: Page, knobs: Locator, digits: Digits) -> None:
    expect(knobs.locator(".score output").first).to_have_text(expected_score(TRAINED, digits))
    assert np.array_equal(readings(page), expected_readings(TRAINED, digits))
    expect(knobs.get_by_role("button", name="Back to the server's network")).to_be_hidden()


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


def test_silence_and_put_back(page: Page, knobs: Locator, digits: Digits) -> None:
    def alter(weights: Batch, _biases: Batch) -> None:
        weights[:, 3] = 0

    select(knobs, "Hidden layer 1", "neuron 4")
    press(knobs, "Silence")
    assert not differing(altered(1, alter), current_network(page))
    expect(knobs.get_by_role("button", name="Silence")).to_be_disabled()
    check_answers(page, digits)
    press(knobs, "Put back")
    assert not differing(TRAINED, current_network(page))


def test_a_silenced_output_is_never_read(page: Page, knobs: Locator, digits: Digits) -> None:
    select(knobs, "Output layer", "output 7")
    press(knobs, "Silence")
    check_answers(page, digits)
    assert 7 not in readings(page)
    press(knobs, "Put back")
    assert not differing(TRAINED, current_network(page))


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
    assert read(page, "store.get('altered')") is None


def test_start_from_the_handmade_network(page: Page, knobs: Locator, digits: Digits) -> None:
    press(knobs, "Handmade")
    wait_until(page, "store.get('altered') !== null")
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
    assert read(page, "store.get('altered')") is None
    wait_until(page, "store.get('answer')?.source === 'server'")
    press(knobs, "Undo")
    assert differing(TRAINED, current_network(page)) == ["b1", "b2", "b3"]
    press(knobs, "Undo")
    expect(state).to_have_text("The server's network answers. Turn a knob, and yours does.")
    expect(knobs.get_by_role("button", name="Undo")).to_be_disabled()


def test_the_download_is_what_the_exporter_takes(
    page: Page, knobs: Locator, digits: Digits, tmp_path: Path
) -> None:
    press(knobs, "Handmade")
    wait_until(page, "store.get('altered') !== null")
    knobs.get_by_label("Noise").fill("0.2")
    choice(knobs, "Hidden layer 1").select_option("tanh")
    choice(knobs, "Output layer").select_option("softmax")
    with page.expect_download() as downloading:
        press(knobs, "Download as .npz")
    file = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(file)
    turned = current_network(page)
    saved = networks.load(file)
    assert not differing(saved.network, turned)
    assert saved.network.labels == TRAINED.labels
    assert saved.image_layout == networks.load(WEIGHTS).image_layout

    repository = tmp_path / "models"
    command = [sys.executable, "-m", "exporter", "export", "--weights", str(file)]
    subprocess.run([*command, "--repository", str(repository)], cwd=ROOT, check=True)
    images = digits[0][::EVERY]
    with (
        start_server(repository, "--max-batch-size", "1000") as served,
        Client(served.grpc_address) as client,
    ):
        prediction = client.predict(images)
        assert np.array_equal(prediction.labels, readings(page))
        draw(page, images[0])
        answer = read(page, "store.get('answer').activations.at(-1)")
        assert np.allclose(answer, prediction.activations[0], atol=1e-5)


def test_the_selection_is_shared(page: Page, knobs: Locator) -> None:
    select(knobs, "Output layer", "output 3")
    assert read(page, "store.get('selection')") == {"layer": 2, "neuron": 3}
    write(page, "{ selection: { layer: 0, neuron: 9 } }")
    expect(choice(knobs, "Layer")).to_have_value("Hidden layer 1")
    expect(choice(knobs, "Neuron")).to_have_value("neuron 10")


def test_the_sheet_is_loaded_when_it_is_needed(browser: Browser, server: ServerProcess) -> None:
    with open_page(browser, server.http_address, viewport={"width": 360, "height": 640}) as opened:
        requested: list[str] = []
        opened.page.on("request", lambda request: requested.append(request.url))
        wait_until(opened.page, "store.get('answer') !== null")
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
            for target in knobs.locator("button, select, input").all():
                box = target.bounding_box()
                if box:
                    side = min(box["width"], box["height"])
                    assert side >= 20, target.evaluate("(found) => found.outerHTML")


def test_a_network_that_reads_no_images(browser: Browser, odd: ServerProcess) -> None:
    with open_page(browser, odd.http_address) as opened:
        page = opened.page
        write(page, "{ model: 'many', version: 1 }")
        wait_until(page, "store.get('network')?.model === 'many'")
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
        assert read(page, "store.get('answer').source") == "page"
        assert read(page, "store.get('sheet')") is None
