"""The page and `mlpserve top` show the same texts of the same samples."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, Route

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import open_page
from harness.server_process import ServerProcess
from harness.waiting import wait_for
from mlpserve.metrics import figures
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.looks import Look, RecentWatch
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.numbers import format_count, format_share
from mlpserve.terminal.tables import format_rate
from tests.page.watch.reading import tile
from tests.page.watch.recorded import BEGIN_SECONDS, Recorded, record

RANGE_SECONDS = 60
PHASE_SECONDS = 0.2
"""Where in a second the page reads, unless chance decides otherwise."""

EXACT = """
// The page reads at a moment of each second that chance decides.
Math.random = () => 0;
const { text } = Response.prototype;
globalThis.pagesRead = 0;
Response.prototype.text = async function () {
    const found = await text.call(this);
    pagesRead += this.url.endsWith("/metrics");
    return found;
};
"""
"""Makes the page read at full seconds of its clock, and count what it has read."""


@pytest.fixture(scope="module")
def recorded(digits: tuple[Batch, Labels], tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(tmp_path_factory.mktemp("recorded"), digits[0])


@pytest.fixture(scope="module")
def page(browser: Browser, server: ServerProcess, recorded: Recorded) -> Iterator[Page]:
    """The page, once it has read the recorded pages, exactly a second apart."""
    left = iter(recorded.pages)

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/plain", body=next(left))

    def prepare(page: Page) -> None:
        page.route("**/metrics", answer)
        page.add_init_script(EXACT)
        page.clock.install(time=at(BEGIN_SECONDS - 1))
        page.clock.pause_at(at(BEGIN_SECONDS + PHASE_SECONDS))

    path = f"/watch#range={RANGE_SECONDS}"
    with open_page(browser, server.http_address, path, prepare=prepare) as opened:
        for number in range(1, len(recorded.pages) + 1):
            wait_for(lambda number=number: opened.page.evaluate("pagesRead") == number)
            if number < len(recorded.pages):
                opened.page.clock.run_for(1000)
        yield opened.page


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def look_over(recorded: Recorded, seconds: float) -> Look:
    watch = RecentWatch(seconds)
    pages = zip(recorded.pages, recorded.times, strict=True)
    return [watch.look(parse(text), time) for text, time in pages][-1]


@pytest.fixture(scope="module")
def look(recorded: Recorded) -> Look:
    """What `mlpserve top` draws unless told otherwise."""
    return look_over(recorded, 10)


def test_tiles(page: Page, look: Look) -> None:
    calls, images, head = figures.calls(look), figures.images(look), figures.head(look)
    errors = sum(count.total for count in figures.codes(look) if count.name != "OK")
    expected = {
        "Calls": (f"{format_rate(calls.per_second)} /s", format_count(calls.total)),
        "Images": (f"{format_rate(images.per_second)} /s", format_count(images.total)),
        "No server error": (format_share(calls.no_server_error), format_count(errors)),
        "p50": (format_duration(calls.p50), "half"),
        "p99": (format_duration(calls.p99), "objective"),
        "Workers missing": (format_count(head.wanted - head.ready), format_count(head.ready)),
    }
    for title, (number, detail) in expected.items():
        words = tile(page, title).inner_text().removeprefix(title).split("\n")
        assert words[1:2] == [number], title
        assert words[2].split()[0] == detail, title
