"""The turned network as a file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from exporter import network as networks
from exporter.commands.common import WEIGHTS
from harness.server_process import ROOT, start_server
from mlpserve import Client
from tests.generate_page_files import EVERY
from tests.page.storage import draw, read, wait_until
from tests.page.turning import (
    Digits,
    choice,
    current_network,
    differing,
    open_section,
    press,
    readings,
)


def test_the_download_is_what_the_exporter_takes(
    page: Page, digits: Digits, tmp_path: Path
) -> None:
    open_section(page, "knobs")
    knobs = page.locator("#knobs")
    press(knobs, "Handmade")
    wait_until(page, "store.state.altered !== null")
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
    shipped = networks.load(WEIGHTS)
    assert saved.network.labels == shipped.network.labels
    assert saved.image_layout == shipped.image_layout

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
        answer = read(page, "store.state.answer.activations.at(-1)")
        assert np.allclose(answer, prediction.activations[0], atol=1e-5)
