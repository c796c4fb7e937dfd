"""A server that goes away and comes back: the page says so, helps itself, and recovers."""

import shutil
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, expect

from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.networks import random_network
from harness.server_process import start_server
from tests.page.storage import draw, read, settle, wait_until

UNREACHABLE = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "503")


def test_a_server_restarts(
    browser: Browser, repository: Path, tmp_path: Path, digits: tuple[Batch, Labels]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(repository / "digits", models / "digits")
    with start_server(models) as server:
        address = server.http_address
        with open_page(browser, address) as opened:
            page = opened.page
            banner, label = page.locator("#banner"), page.locator(".label").first
            settle(page)
            server.terminate()

            expect(banner).to_contain_text("The server does not answer")
            expect(page.get_by_role("status").filter(has_text="does not answer")).to_be_visible()
            draw(page, digits[0][0])
            expect(label).to_have_text(str(digits[1][0]))
            expect(page.get_by_role("article", name="As drawn")).to_contain_text("in this page")

            # Of the same name and version, with other weights and layers: all is loaded again.
            shutil.rmtree(models / "digits")
            network = random_network((784, 20, 10))
            publishing.publish(graph.build(network), models, "digits", 1)
            with start_server(models, "--http-address", address):
                expect(banner).to_contain_text("The server answers again.")
                wait_until(page, "store.state.answer?.source === 'server'")
                neurons = read(page, "store.state.network.layers.map((layer) => layer.neurons)")
                assert neurons == [20, 10]
                image = np.array([read(page, "[...store.state.answer.of]")], np.float32)
                outputs = read(page, "store.state.answer.activations.at(-1)")
                np.testing.assert_allclose(outputs, network.forward(image)[-1][0], atol=1e-5)

            # Now with another model only.
            expect(banner).to_contain_text("The server does not answer")
            shutil.rmtree(models / "digits")
            publishing.publish(graph.build(random_network((9, 4, 3))), models, "small", 1)
            with start_server(models, "--http-address", address):
                expect(banner).to_contain_text("digits 1 is no longer served. small 1 answers now.")
                wait_until(page, "store.state.answer?.model === 'small'")
                expect(page.get_by_label("Model", exact=True)).to_have_value("small")
            assert all(any(known in error for known in UNREACHABLE) for error in opened.errors)
            opened.errors.clear()
