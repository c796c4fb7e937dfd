"""Reads from the page which network answers, and what it reads from the sheet of test images."""

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

from exporter.network.network import Batch, Layer, Network
from exporter.training.mnist import Labels
from tests.generate_page_files import EVERY
from tests.page.storage import read, wait_until

CURRENT = "(store.get('altered') ?? store.get('network'))"

Digits = tuple[Batch, Labels]


def open_section(page: Page, name: str) -> None:
    """Scroll to a section, and wait until the sheet has been read there."""
    wait_until(page, "store.get('network') !== null")
    page.locator(f"#{name}").scroll_into_view_if_needed()
    wait_until(page, "store.get('readings') !== null")


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
    wait_until(page, f"store.get('readings').network === {CURRENT}")
    return np.array(read(page, "Array.from(store.get('readings').labels)"))


def expected_readings(network: Network, digits: Digits) -> npt.NDArray[np.int64]:
    """Return what NumPy reads from the images of the sheet, in float32."""
    labels: npt.NDArray[np.int64] = network.forward(digits[0][::EVERY])[-1].argmax(axis=1)
    return labels


def expected_score(network: Network, digits: Digits) -> str:
    """Return the share that NumPy finds right, as the page shows it."""
    images, labels = digits
    return f"{100 * network.accuracy(images[::EVERY], labels[::EVERY]):.1f}%"
