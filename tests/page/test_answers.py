"""What the network reads: as drawn and canonicalised, side by side."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.networks import random_network
from harness.server_process import ServerProcess, start_server
from mlpserve import Client
from tests.page.storage import draw, read, settle, wait_until, write

SIDE = 28

PLAIN = random_network((9, 4, 3), ("relu", "identity"))


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def bars(card: Locator) -> list[str]:
    """The numbers beside the bars."""
    return card.locator(".outputs td.number").all_inner_texts()


def picture(card: Locator) -> Batch:
    """What its canvas shows, as pixels in [0, 1]."""
    levels = card.locator("canvas").evaluate(
        """(canvas) => [...canvas.getContext("2d")
          .getImageData(0, 0, canvas.width, canvas.height).data].filter((_, k) => k % 4 === 0)"""
    )
    return np.array(levels, np.float32) / np.float32(255)


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture
def shifted(digits: tuple[Batch, Labels]) -> Batch:
    """A seven in a corner, smaller than those of MNIST, dark on light."""
    images, labels = digits
    image = images[np.flatnonzero(labels == 7)[0]].reshape(SIDE, SIDE)
    small = np.zeros((SIDE, SIDE), np.float32)
    small[:14, :14] = image.reshape(14, 2, 14, 2).max(axis=(1, 3))
    return 1 - small.reshape(-1)


def test_both_pictures_have_the_servers_answers(
    page: Page, server: ServerProcess, shifted: Batch
) -> None:
    settle(page)
    draw(page, shifted)
    settle(page)
    with Client(server.grpc_address) as client:
        plain = client.predict(shifted[None])
        right = client.predict(shifted[None], canonicalize=True, canonical_pixels=True)
    assert right.canonicalization is not None
    for name, prediction in (("As drawn", plain), ("Canonicalised", right)):
        assert bars(card(page, name)) == [f"{output:.2f}" for output in prediction.activations[0]]
        expect(card(page, name).locator(".label")).to_have_text(str(prediction.labels[0]))
        expect(card(page, name).locator(".brightest th")).to_have_text(str(prediction.labels[0]))
    assert right.labels[0] == 7 != plain.labels[0]
    np.testing.assert_allclose(picture(card(page, "As drawn")), shifted, atol=1 / 255)
    pixels = right.canonicalization.pixels
    assert pixels is not None
    np.testing.assert_allclose(picture(card(page, "Canonicalised")), pixels[0], atol=1 / 255)


def test_it_says_what_was_done(page: Page, server: ServerProcess, shifted: Batch) -> None:
    settle(page)
    draw(page, shifted)
    settle(page)
    with Client(server.grpc_address) as client:
        done = client.predict(shifted[None], canonicalize=True).canonicalization
    assert done is not None
    down, right = done.scales[0]
    words = card(page, "Canonicalised")
    expect(words).to_contain_text(
        f"Inverted; ink {down:.2f} times higher and {right:.2f} times wider"
    )
    expect(words).to_contain_text(" down and ")


def test_it_says_when_no_output_is_bright(page: Page, digits: tuple[Batch, Labels]) -> None:
    settle(page)
    dim = "No output is bright"
    expect(card(page, "As drawn")).to_contain_text(dim)
    draw(page, digits[0][0])
    settle(page)
    expect(card(page, "As drawn").get_by_text(dim)).to_be_hidden()


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves a network of nine numbers that are not an image, and whose outputs have signs."""
    repository: Path = tmp_path_factory.mktemp("plain")
    publishing.publish(graph.build(PLAIN), repository, "numbers")
    with start_server(repository) as server:
        yield server


def test_a_model_without_a_layout_says_so(browser: Browser, plain_server: ServerProcess) -> None:
    with open_page(browser, plain_server.http_address) as opened:
        page = opened.page
        wait_until(page, "store.state.answer?.of === store.state.pixels")
        expect(card(page, "Canonicalised")).to_contain_text("no image layout")
        outputs = PLAIN.forward(np.zeros((1, 9), np.float32))[-1][0]
        assert bars(card(page, "As drawn")) == [f"{output:.2f}" for output in outputs]
        expect(card(page, "As drawn").locator("canvas")).to_be_hidden()
        expect(card(page, "As drawn").locator(".below")).to_have_count(int((outputs < 0).sum()))


def test_with_knobs_turned_the_page_reads_both_pictures(page: Page, shifted: Batch) -> None:
    settle(page)
    draw(page, shifted)
    settle(page)
    page.evaluate(
        """async () => {
          const { store } = await import("/static/js/store.js");
          const altered = store.state.network.clone();
          altered.layers.at(-1).biases.fill(-3);
          store.set({ altered });
        }"""
    )
    seen = {"As drawn": "store.state.pixels", "Canonicalised": "store.state.canonical.pixels"}
    for name, pixels in seen.items():
        expect(card(page, name)).to_contain_text("in this page")
        layers = f"store.state.altered.forward({pixels}).activations"
        outputs = read(page, f"[...{layers}.at(-1)]")
        assert bars(card(page, name)) == [f"{output:.2f}" for output in outputs]
    write(page, "{ altered: null }")
    wait_until(page, "store.state.answer.source === 'server'")
    wait_until(page, "store.state.canonical.source === 'server'")


def test_a_network_too_large_to_be_sent_still_answers(browser: Browser, tmp_path: Path) -> None:
    network = random_network((784, 1300, 10))
    publishing.publish(graph.build(network), tmp_path, "large")
    with (
        start_server(tmp_path) as server,
        open_page(browser, server.http_address) as opened,
    ):
        page = opened.page
        expect(page.locator("#problem")).to_contain_text("weights")
        wait_until(page, "store.state.answer?.source === 'server'")
        outputs = network.forward(np.zeros((1, 784), np.float32))[-1][0]
        assert bars(card(page, "As drawn")) == [f"{output:.2f}" for output in outputs]
        assert "413" in opened.errors.pop()
