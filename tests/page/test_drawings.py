"""Digits drawn by a script: as the page would draw them, and as well read as the page says."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import mlpserve
from exporter.export import graph, publishing
from harness.browser import open_page
from harness.drawings.hand import SIDE, Drawing, draw_all
from harness.drawings.raster import pixels_of, render
from harness.drawings.ways import WAYS
from harness.networks import random_network
from harness.server_process import ROOT, ServerProcess, start_server
from tests.page.pen import draw, pixels, slide
from tests.page.storage import wait_until

DRAWINGS = draw_all()
SENTENCE = (
    r"Of (\d+) drawings by a script that moves the pen as people do, this network reads "
    r"(\d+) \((\d+)%\) as drawn and (\d+) \((\d+)%\) canonicalised"
)


def test_there_are_as_many_of_each_digit_in_every_way() -> None:
    assert len(DRAWINGS) >= 200
    counts = np.bincount([drawing.digit for drawing in DRAWINGS])
    assert counts.tolist() == [len(DRAWINGS) // 10] * 10
    ways = {(drawing.digit, drawing.way) for drawing in DRAWINGS}
    assert ways == {(way.digit, way.name) for way in WAYS}
    for wanted in ((7, "crossed"), (4, "open"), (4, "closed"), (1, "with a serif")):
        assert wanted in ways
    assert (2, "with a loop") in ways


def test_they_are_the_same_each_time_and_on_the_canvas() -> None:
    for drawing, again in zip(DRAWINGS, draw_all(), strict=True):
        for stroke, same in zip(drawing.strokes, again.strokes, strict=True):
            np.testing.assert_array_equal(stroke, same)
            assert stroke.min() >= 0
            assert stroke.max() <= SIDE


@pytest.fixture
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.mark.parametrize("number", [17, 42])
def test_the_page_makes_the_same_pixels_of_the_same_strokes(page: Page, number: int) -> None:
    drawing = DRAWINGS[number]
    wait_until(page, "store.state.networkOf !== ''")
    brush = round(drawing.brush, 1)
    slide(page, "Brush", brush)
    for stroke in drawing.strokes:
        draw(page, tuple([(float(x), float(y)) for x, y in stroke]), steps=1)
    # The slider has steps.
    expected = render(Drawing(drawing.digit, drawing.way, drawing.strokes, brush))
    difference = np.abs(pixels(page).ravel() - expected)
    # The mouse moves by whole points of the screen.
    assert difference.mean() < 0.005
    assert difference.max() < 0.15


def test_they_are_read_as_the_page_and_its_documents_say(server: ServerProcess) -> None:
    images = pixels_of(DRAWINGS)
    digits = np.array([drawing.digit for drawing in DRAWINGS])
    with mlpserve.Client(server.grpc_address) as client:
        plain = int((client.predict(images).labels == digits).sum())
        canonical = int((client.predict(images, canonicalize=True).labels == digits).sum())
    n = len(digits)
    measured = [n, plain, round(100 * plain / n), canonical, round(100 * canonical / n)]
    for file in ("server/http/static/index.html", "docs/page.md"):
        text = re.sub(r"\s+", " ", (ROOT / file).read_text())
        (said,) = re.findall(SENTENCE, text)
        assert [*map(int, said)] == measured, file
    shown = f"{measured[4]}% right in canonical mode, and {measured[2]}% as drawn"
    assert shown in re.sub(r"\s+", " ", (ROOT / "README.md").read_text())


def test_the_page_says_so_of_the_network_it_was_measured_with(
    browser: Browser, page: Page, tmp_path: Path
) -> None:
    expect(page.locator("#drawn-accuracy")).to_be_visible()
    publishing.publish(graph.build(random_network((784, 10))), tmp_path, "other")
    with start_server(tmp_path) as other, open_page(browser, other.http_address) as opened:
        wait_until(opened.page, "store.state.networkOf !== ''")
        expect(opened.page.locator("#drawn-accuracy")).to_be_hidden()
