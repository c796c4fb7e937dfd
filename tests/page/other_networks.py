"""A server of networks that have nothing in common with the shipped one."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page

from exporter.export import graph, publishing
from exporter.network.network import Batch, Network
from harness.browser import Watched
from harness.networks import random_batch, random_network
from harness.server_process import ServerProcess, start_server
from modelfile.input_range import FINITE
from tests.page.shared import blamed
from tests.page.storage import draw, wait_until, write

FLOWERS = ("setosa", "versicolor", "virginica")

NETWORKS: dict[str, Network] = {
    "iris": replace(
        random_network((4, 6, 3), ("relu", "identity"), scale=3),
        input_range=FINITE,
        labels=FLOWERS,
    ),
    "flat": random_network((784, 10), ("softmax",), scale=2),
    "signed": random_network((100, 7, 6, 5, 3), ("tanh", "selu", "relu", "identity"), scale=3),
    "many": random_network((784, 24, 1000), ("selu", "softmax"), scale=3),
    # More weights than the page gets.
    "large": random_network((784, 1300, 10), scale=2),
}


@contextlib.contextmanager
def start_others(repository: Path) -> Iterator[ServerProcess]:
    """Serve them, each as a model of its name, until the block ends."""
    for name, network in NETWORKS.items():
        publishing.publish(graph.build(network), repository, name)
    with start_server(repository) as server:
        yield server


@contextlib.contextmanager
def turned_to(watched: Watched, name: str) -> Iterator[tuple[Page, Network, Batch]]:
    """Turn an open page to one of them, with an image (1, inputs) that has been answered."""
    network = NETWORKS[name]
    image = random_batch(1, network.n_inputs, seed=3)
    page = watched.page
    with blamed(watched):
        wait_until(page, "store.state.answer !== null")
        write(page, f"{{ model: '{name}', version: 1, selection: null, view: 'picture' }}")
        wait_until(page, f"store.state.networkOf.startsWith('{name}/')")
        wait_until(page, f"store.state.pixels.length === {network.n_inputs}")
        wait_until(page, "store.state.answer?.of === store.state.pixels")
        draw(page, image[0])
        wait_until(page, "store.state.answer?.of === store.state.pixels")
        # What the server refuses is a console error, too: of a network that is too large.
        watched.errors[:] = [error for error in watched.errors if "413" not in error]
        yield page, network, image
