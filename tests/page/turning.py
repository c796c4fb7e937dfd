"""Turns knobs in the page, and reads which network answers and what it reads from the sheet."""

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Locator, Page, expect

from exporter.network.network import Batch, Layer, Network
from exporter.training.mnist import Labels
from tests.generate_page_files import EVERY
from tests.page.storage import read, wait_until

CURRENT = "(store.state.altered ?? store.state.network)"

ALTERED = "This page now answers with your network, not the server's."
SIDE = 28

Digits = tuple[Batch, Labels]


def open_section(page: Page, name: str) -> None:
    """Scroll to a section, and wait until the sheet has been read there."""
    wait_until(page, "store.state.network !== null")
    page.locator(f"#{name}").scroll_into_view_if_needed()
    wait_until(page, "store.state.readings !== null")


def current_network(page: Page) -> Network:
    """Return the network that answers."""
    layers, labels = read(
        page,
        f"[{CURRENT}.layers.map((layer) => [Array.from(layer.weights), Array.from(layer.biases), "
        f"layer.activation]), {CURRENT}.labelNames]",
    )
    return Network(
        tuple(
            Layer(
                np.array(weights, np.float32).reshape(len(biases), -1),
                np.array(biases, np.float32),
                activation,
            )
            for weights, biases, activation in layers
        ),
        tuple(labels),
    )


def readings(page: Page) -> npt.NDArray[np.int64]:
    """Return the labels (1000,) that the network which answers reads from the sheet."""
    wait_until(page, f"store.state.readings.network === {CURRENT}")
    return np.array(read(page, "Array.from(store.state.readings.labels)"))


def expected_readings(network: Network, digits: Digits) -> npt.NDArray[np.int64]:
    """Return what NumPy reads from the images of the sheet, in float32."""
    labels: npt.NDArray[np.int64] = network.forward(digits[0][::EVERY])[-1].argmax(axis=1)
    return labels


def expected_score(network: Network, digits: Digits) -> str:
    """Return the share that NumPy finds right, as the page shows it."""
    images, labels = digits
    return f"{100 * network.accuracy(images[::EVERY], labels[::EVERY]):.1f}%"


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
    pixels = np.array([read(page, "Array.from(store.state.pixels)")], np.float32)
    answer = read(page, "store.state.answer.activations.at(-1)")
    assert np.allclose(answer, network.forward(pixels)[-1][0], atol=1e-5)
    assert read(page, "store.state.answer.source") == "page"
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
