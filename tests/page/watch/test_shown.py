"""The page and `mlpserve top` show the same texts of the same samples."""

import functools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Locator, Page, Route

from harness.browser import open_page
from harness.server_process import ServerProcess
from harness.waiting import wait_for
from mlpserve.metrics import figures
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.figures import Calls, Count, Sizes, Worker
from mlpserve.metrics.looks import Look, RecentWatch
from mlpserve.metrics.versions import Version, versions
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.numbers import format_bytes, format_count, format_number, format_share
from mlpserve.terminal.tables import format_rate
from tests.page.watch.reading import cells, panel, row, tile
from tests.page.watch.recorded import BEGIN_SECONDS, Recorded

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

DRIFT = {
    "Drift of labels": "labels",
    "Drift of winning activation": "winning_activation",
    "Drift of margin": "margin",
    "Drift of ink": "ink",
}


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
            wait_for(functools.partial(has_read, opened.page, number))
            if number < len(recorded.pages):
                opened.page.clock.run_for(1000)
        # Charts are drawn in the next frame.
        opened.page.clock.run_for(100)
        yield opened.page


def has_read(page: Page, number: int) -> bool:
    return bool(page.evaluate("pagesRead") == number)


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
        "Calls": (per_second(calls.per_second), format_count(calls.total)),
        "Images": (per_second(images.per_second), format_count(images.total)),
        "No server error": (format_share(calls.no_server_error), format_count(errors)),
        "p50": (format_duration(calls.p50), "half"),
        "p99": (format_duration(calls.p99), "objective"),
        "Workers missing": (format_count(head.wanted - head.ready), format_count(head.ready)),
    }
    for title, (number, detail) in expected.items():
        words = tile(page, title).inner_text().removeprefix(title).split("\n")
        assert words[1:2] == [number], title
        assert words[2].split()[0] == detail, title


def test_methods(page: Page, look: Look) -> None:
    for calls in figures.methods(look):
        found = cells(row(page, "Calls by method", calls.method))
        assert found == {"Method": calls.method} | describe_calls(calls)
    assert [calls.method for calls in figures.methods(look)] == ["ModelInfer", "Predict"]


def describe_calls(calls: Calls) -> dict[str, str]:
    return {
        "Calls/s": format_rate(calls.per_second),
        "Since the start": format_count(calls.total),
        "Errors/s": format_rate(calls.errors_per_second),
        "No server error": format_share(calls.no_server_error),
        "p50": format_duration(calls.p50),
        "p90": format_duration(calls.p90),
        "p99": format_duration(calls.p99),
        "p99.9": format_duration(calls.p999),
        "In progress": format_count(calls.in_progress),
    }


def test_versions(page: Page, look: Look) -> None:
    for version in versions(look):
        name = title_of(version)
        assert cells(row(page, "Versions loaded", name)) == {
            "Version": name,
            "Share of calls": format_share(version.share),
            "Calls/s": format_rate(version.per_second),
            "Since the start": format_count(version.total),
            "Images/s": format_rate(version.images.per_second),
            "Errors/s": format_rate(version.errors_per_second),
            "p50": format_duration(version.p50),
            "p90": format_duration(version.p90),
            "p99": format_duration(version.p99),
            "Queued (p99)": format_duration(version.queue_p99),
            "Shadow differs": format_share(version.shadow_differing),
        }


def test_what_versions_see_and_say(page: Page, recorded: Recorded) -> None:
    """Of the whole range, as far as pages go back."""
    for version in versions(look_over(recorded, RANGE_SECONDS)):
        heading = page.get_by_role("heading", name=title_of(version), exact=True)
        card = page.get_by_role("article").filter(has=heading)
        rows = card.get_by_role("table", name="Labels").get_by_role("row").all()
        shown = {
            row.get_by_role("rowheader").inner_text(): row.get_by_role("cell").nth(1).inner_text()
            for row in rows
        }
        assert shown == {each.label: format_share(each.share) for each in version.labels}
        spread = version.confidence
        numbers = {"p10": spread.p10, "p50": spread.p50, "p90": spread.p90}
        words = ", ".join(f"{name} {format_number(value)}" for name, value in numbers.items())
        found = {name: text_of(card, name) for name in ("Winning activation", *DRIFT)}
        assert found.pop("Winning activation") == words
        assert {name: text.split(",")[0] for name, text in found.items()} == {
            name: f"PSI {format_number(version.drift[of])}" for name, of in DRIFT.items()
        }


def text_of(card: Locator, name: str) -> str:
    head = card.page.get_by_role("rowheader", name=name, exact=True)
    return card.get_by_role("row").filter(has=head).get_by_role("cell").inner_text()


def test_workers(page: Page, look: Look) -> None:
    for worker in figures.workers(look):
        found = cells(row(page, "Workers", worker.worker))
        assert found == {"Worker": worker.worker} | describe_worker(worker)


def describe_worker(worker: Worker) -> dict[str, str]:
    return {
        "CPU": format_share(worker.cpu),
        "Memory": format_bytes(worker.memory_bytes),
        "Files": format_count(worker.files),
        "Calls/s": format_rate(worker.calls_per_second),
        "In progress": format_count(worker.in_progress),
        "Images queued": format_count(worker.queued_images),
        "State": "answers",
    }


def test_counts_by_code_and_by_reason(page: Page, look: Look) -> None:
    errors = [count for count in figures.codes(look) if count.name != "OK"]
    for title, counts in (
        ("Errors by code", errors),
        ("Rejected requests by reason", figures.rejected(look)),
    ):
        words = ", ".join(f"{count.name} {format_count(count.total)}" for count in counts)
        assert f"Since the start: {words}." in panel(page, title).inner_text()
        assert len(counts) == 2


def test_limits(page: Page, look: Look) -> None:
    queue = figures.queue(look)
    for level, show in (
        (queue.images, format_count),
        (queue.bytes, format_bytes),
        (queue.calls, format_count),
    ):
        assert (
            f"{show(level.now)} of {show(level.limit)}" in page.locator("#saturation").inner_text()
        )


def test_charts_read_out_the_same_seconds(page: Page, look: Look) -> None:
    calls, runs, queue = figures.calls(look), figures.runs(look), figures.queue(look)
    loaded = versions(look)
    expected = {
        "Duration": {
            name: format_duration(value)
            for name, value in (
                *(("p50", calls.p50), ("p90", calls.p90)),
                *(("p99", calls.p99), ("p99.9", calls.p999)),
            )
        },
        "Stages (p99)": {each.stage: format_duration(each.p99) for each in figures.stages(look)},
        "Errors by code": rates(figures.codes(look)),
        "Rejected requests by reason": rates(figures.rejected(look)),
        "Predictions by version": {title_of(each): per_second(each.per_second) for each in loaded},
        "Errors by version": {title_of(each): format_share(each.error_share) for each in loaded},
        "Duration by version (p99)": {title_of(each): format_duration(each.p99) for each in loaded},
        "Images in a run": describe_sizes(runs.images),
        "Calls in a run": describe_sizes(runs.calls),
        "Images queued, share of the limit": {
            "images": format_share(queue.images.share),
            "bytes": format_share(queue.bytes.share),
        },
        "CPU by worker": {each.worker: format_share(each.cpu) for each in figures.workers(look)},
    }
    for title, values in expected.items():
        chart = panel(page, title)
        shown = [item.inner_text().split("\n") for item in chart.get_by_role("listitem").all()]
        assert {item[0]: item[-1] for item in shown} == values, title
        assert "last 10 s" in chart.inner_text()


def rates(counts: Sequence[Count]) -> dict[str, str]:
    return {count.name: per_second(count.per_second) for count in counts if count.name != "OK"}


def per_second(rate: float) -> str:
    return f"{format_rate(rate)} /s"


def describe_sizes(sizes: Sizes) -> dict[str, str]:
    numbers = {"mean": sizes.mean, "p50": sizes.p50, "p99": sizes.p99}
    return {name: format_number(size) for name, size in numbers.items()}


def title_of(version: Version) -> str:
    return f"{version.model} {version.version} ({', '.join(version.version_labels)})"
