"""What the page shows of a known load, and what one can choose there."""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import grpc
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from deploy.grafana import units
from deploy.grafana.reading import Panel
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.browser import Watched, open_page
from harness.server_process import ServerProcess
from harness.waiting import wait_for
from tests.conftest import connected
from tests.deploy.watched import DASHBOARDS
from tests.page.watch.reading import cells, expect_calls, panel, row, table, tile
from tests.page.watch.sending import CANARY, STABLE, Sent

UNITS = {
    units.PER_SECOND: r"\S+ /s",
    units.SECONDS: r"\S+ (s|ms|us)( \(\S+%\))?",
    units.SHARE: r"\S+%",
    units.BYTES: r"\S+ (B|kB|MB|GB)",
    # What is counted, the title says.
    units.counted("images"): r"[\d,.]+",
    units.counted("calls"): r"[\d,.]+",
    units.counted("workers"): r"\d+",
}
"""How the page writes a number of a unit that a panel of Grafana has."""

DESKTOP = {"width": 1400, "height": 1000}


@pytest.fixture(scope="module")
def channel(served: ServerProcess) -> Iterator[grpc.Channel]:
    with connected(served) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(browser: Browser, served: ServerProcess) -> Iterator[Watched]:
    """The page, which remembers all that is sent; before anything is."""
    path = "/watch#range=900"
    with open_page(browser, served.http_address, path, viewport=DESKTOP) as page:
        expect(tile(page.page, "Workers missing")).to_contain_text("2 of 2 ready")
        yield page


@pytest.fixture(scope="module")
def page(opened: Watched) -> Page:
    return opened.page


@pytest.fixture(scope="module")
def sent(page: Page, channel: grpc.Channel, digits: tuple[Batch, Labels]) -> Sent:
    """What has been sent, and appears on the page."""
    expect(table(page, "Calls by method")).to_contain_text("No calls since the workers started.")
    sent = Sent()
    sent.send(channel, digits[0])
    expect_calls(page, sent)
    return sent


def test_totals_are_those_of_what_was_sent(page: Page, sent: Sent) -> None:
    expect(tile(page, "Images")).to_contain_text(f"{sent.images} since the start")
    expect(tile(page, "No server error")).to_contain_text(f"{sent.codes.total()} errors since")
    for method, calls in sent.methods.items():
        assert cells(row(page, "Calls by method", method))["Since the start"] == str(calls)
    for version, calls in sent.predictions.items():
        assert cells(row(page, "Versions loaded", version))["Since the start"] == str(calls)
    for title, counts in (
        ("Errors by code", sent.codes),
        ("Rejected requests by reason", sent.reasons),
    ):
        words = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        expect(panel(page, title)).to_contain_text(f"Since the start: {words}.")
    card = page.get_by_role("article").filter(has=page.get_by_role("heading", name=STABLE))
    shown = {
        line.get_by_role("rowheader").inner_text(): line.get_by_role("cell").last.inner_text()
        for line in card.get_by_role("table", name="Labels").get_by_role("row").all()
    }
    assert shown == {label: str(count) for label, count in sent.labels.items()}
    expect(row(page, "Workers", "1")).to_contain_text("answers")


@contextlib.contextmanager
def as_table(page: Page, title: str) -> Iterator[Locator]:
    """A chart as a table, which is filled in the next frame."""
    toggle = panel(page, title).get_by_role("button", name="Table")
    toggle.click()
    yield panel(page, title).get_by_role("table")
    toggle.click()


def count(table: Locator) -> int:
    return sum(int(cell.replace("-", "0")) for cell in table.locator("td").all_inner_texts())


def span(table: Locator) -> timedelta | None:
    """From the first time to the last, on whatever day; None without rows."""
    times = table.locator("tbody th").all_inner_texts()
    if not times:
        return None
    return (since_midnight(times[0]) - since_midnight(times[-1])) % timedelta(days=1)


@pytest.mark.parametrize(
    ("of", "calls"),
    [
        ("All calls", lambda sent: sent.methods.total()),
        ("ModelInfer", lambda sent: sent.methods["ModelInfer"]),
        (STABLE, lambda sent: sent.predictions[STABLE]),
        (CANARY, lambda sent: sent.predictions[CANARY]),
    ],
    ids=["all", "method", "stable", "canary"],
)
def test_durations_are_of_the_calls_that_one_chooses(
    page: Page, sent: Sent, of: str, calls: Callable[[Sent], int]
) -> None:
    page.get_by_label("Of", exact=True).select_option(of)
    with as_table(page, "Durations") as table:
        wait_for(lambda: count(table) == calls(sent))
    page.get_by_label("Of", exact=True).select_option("All calls")


def test_a_pause_keeps_the_picture_and_reading_goes_on(
    page: Page, sent: Sent, channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    pause = page.get_by_role("button", name="Pause")
    for resume in ("p", " "):
        pause.click()
        expect(pause).to_have_attribute("aria-pressed", "true")
        shown = tile(page, "Calls").inner_text()
        sent.send(channel, digits[0])
        for _ in range(2):
            page.wait_for_event("requestfinished", lambda request: "/metrics" in request.url)
        page.get_by_role("button", name="1 min", exact=True).click()
        page.get_by_role("button", name="15 min", exact=True).click()
        assert tile(page, "Calls").inner_text() == shown
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(resume)
        expect(pause).to_have_attribute("aria-pressed", "false")
        expect_calls(page, sent)


def test_space_presses_what_has_the_focus(page: Page) -> None:
    page.get_by_role("button", name="5 min", exact=True).focus()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="5 min", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")


def since_midnight(time: str) -> timedelta:
    hours, minutes, seconds = map(int, time.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_the_range_is_in_the_charts_and_in_the_link(page: Page, sent: Sent, minutes: int) -> None:
    button = page.get_by_role("button", name=f"{minutes} min", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.url.endswith(f"/watch#range={60 * minutes}")
    with as_table(page, "Duration") as table:
        wait_for(lambda: span(table) == timedelta(minutes=minutes) * 59 / 60)


def test_a_link_has_its_range(page: Page) -> None:
    for seconds, name in ((60, "1 min"), (900, "15 min")):
        page.evaluate(f"location.hash = 'range={seconds}'")
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-pressed", "true")


def test_values_are_shown_where_one_points(page: Page, sent: Sent) -> None:
    charts = [
        panel(page, title).locator("figcaption") for title in ("Duration", "Predictions by version")
    ]
    for chart in charts:
        expect(chart.get_by_text("last 10 s", exact=True)).to_be_visible()
    panel(page, "Duration").get_by_role("slider").hover()
    for chart in charts:
        expect(chart.get_by_text(re.compile(r"^\d\d:\d\d:\d\d$"))).to_be_visible()
    page.mouse.move(0, 0)
    for chart in charts:
        expect(chart.get_by_text("last 10 s", exact=True)).to_be_visible()


def panels_of_grafana() -> list[Panel]:
    """Return the panels of the dashboards that show what the page shows."""
    return [panel for name in ("service", "model") for panel in DASHBOARDS[name].panels]


def test_units_are_those_of_grafana(page: Page, sent: Sent) -> None:
    unit_of = {panel.title: panel.unit for panel in panels_of_grafana()}
    for chart in page.locator(".panel figure").all():
        title = chart.locator("h3").inner_text()
        # Keys are filled in the next frame, and begin with the newest values.
        for value in chart.locator(".keys .number").all():
            expect(value).to_have_text(re.compile(rf"-|{UNITS[unit_of[title]]}"))
    for title in page.locator(".tile dt").all_inner_texts():
        number = tile(page, title).locator(".value").inner_text()
        assert re.fullmatch(rf"-|{UNITS[unit_of[title]]}", number), title


def test_titles_are_those_of_grafana(page: Page, sent: Sent) -> None:
    known = {name for panel in panels_of_grafana() for name in (panel.section, panel.title)}
    shown = page.locator("h2, .panel h3, caption, dt").all_inner_texts()
    own = {STABLE, CANARY, ""}
    assert [title for title in shown if title not in known | own] == []
