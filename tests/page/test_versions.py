"""Models and versions: chosen, compared, and changing while the page is open."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.networks import random_network
from harness.server_process import ServerProcess, start_server
from mlpserve import Client
from tests.page.storage import load, read, settle, wait_until

LABELS = tuple("0123456789")


def publish(repository: Path, name: str, version: int) -> None:
    network = replace(random_network(seed=version), labels=LABELS)
    publishing.publish(graph.build(network), repository, name, version)


@pytest.fixture
def served(repository: Path, tmp_path: Path) -> Iterator[tuple[Path, ServerProcess]]:
    """Two versions of digits, and letters, of which no version can be loaded."""
    shutil.copytree(repository / "digits", tmp_path / "digits")
    publish(tmp_path, "digits", 2)
    (tmp_path / "letters" / "1").mkdir(parents=True)
    (tmp_path / "letters" / "1" / "model.onnx").write_bytes(b"no model")
    arguments = (
        "--versions",
        "latest 3",
        "--labels",
        "digits: stable 1",
        "--default-model",
        "digits",
    )
    with start_server(tmp_path, *arguments) as server:
        yield tmp_path, server


@pytest.fixture
def page(browser: Browser, served: tuple[Path, ServerProcess]) -> Iterator[Page]:
    with open_page(browser, served[1].http_address) as opened:
        wait_until(opened.page, "store.state.answer?.of === store.state.pixels")
        yield opened.page


def test_a_version_is_chosen_and_compared(
    page: Page, served: tuple[Path, ServerProcess], digits: tuple[Batch, Labels]
) -> None:
    versions = page.get_by_label("Version", exact=True)
    expect(versions.locator("option")).to_have_text(["1 (stable)", "2 (newest)"])
    expect(versions).to_have_value("2")
    expect(page.get_by_label("Model", exact=True).locator("option")).to_have_text(
        ["digits", "letters (failed)"]
    )
    load(page, digits[0][0])
    image = np.array(read(page, "[...store.state.pixels]"), np.float32)
    with Client(served[1].grpc_address) as client:
        one, two = (int(client.predict(image[None], version=n).labels[0]) for n in (1, 2))
    assert one != two
    wait_until(page, "store.state.answer?.of === store.state.pixels")
    drawn = page.get_by_role("article", name="As drawn").locator(".label")
    expect(drawn).to_have_text(str(two))

    versions.select_option("1")
    expect(drawn).to_have_text(str(one))
    settle(page)
    assert read(page, "[store.state.network.version, store.state.answer.version]") == [1, 1]

    page.get_by_label("Compare with").select_option(label="digits 2")
    other = page.get_by_role("article", name="digits 2")
    expect(other.locator(".label")).to_have_text(str(two))
    expect(other).to_contain_text(f"They differ: {one} and {two}.")
    page.get_by_label("Compare with").select_option(label="Nothing")
    expect(other).to_be_hidden()


def test_it_lists_what_is_loaded_and_what_failed(page: Page) -> None:
    summary = page.get_by_text("2 versions loaded, 1 failed")
    summary.click()
    row = page.get_by_role("row").filter(has_text="letters")
    expect(row).to_contain_text("failed")
    expect(row).to_contain_text("model.onnx")


def test_versions_come_and_go_while_the_page_is_open(
    page: Page, served: tuple[Path, ServerProcess]
) -> None:
    repository, _ = served
    banner = page.locator("#banner")
    publish(repository, "digits", 3)
    expect(banner).to_contain_text("digits 3 has been loaded.")
    assert read(page, "store.state.version") == 2, "what one looks at stays"
    shutil.rmtree(repository / "digits" / "2")
    expect(banner).to_contain_text("digits 2 is no longer served. digits 3 answers now.")
    wait_until(page, "store.state.answer?.version === 3")
    banner.get_by_role("button", name="Close").click()
    expect(banner).to_be_empty()
