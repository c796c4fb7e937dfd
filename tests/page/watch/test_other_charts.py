"""Heatmaps, stages, shares and tiles: what is drawn, and what is said."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.watch.drawing import CLEAR, COUNT, Chart

NAN, INF = math.nan, math.inf
BOUNDS = [0.0005, 0.001, 0.002, 0.004, INF]

New = Callable[[str], Chart]


@pytest.fixture
def new(blank: Page) -> Iterator[New]:
    """Makes empty charts, which are gone after the test."""
    numbers = count()
    blank.mouse.move(0, 0)
    yield lambda kind: Chart(blank, kind, f"chart{next(numbers)}")
    blank.evaluate(CLEAR)


def heat(level: int) -> str:
    """The colour of one of sixteen levels."""
    return f"color-mix(in oklab, var(--heat-many) {100 * level / 16}%, var(--heat-few))"


def test_a_heatmap_is_stronger_where_more_calls_are(new: New) -> None:
    chart = new("heatmap")
    counts = [[0, 100, 1, 0, 0] if k < 30 else None for k in range(COUNT)]
    chart.paint(bounds=BOUNDS, counts=counts)
    area = chart.area()
    # Rows from 0.25 ms, one below those that occur, to 4 ms, one above.
    for ink, low in ((heat(16), 1), (heat(3), 2)):
        pixels = chart.ink(ink)
        xs, ys = zip(*pixels, strict=True)
        assert min(xs) == pytest.approx(area.left, abs=1)
        assert max(xs) == pytest.approx(area.left + area.width / 2, abs=2)
        assert max(ys) == pytest.approx(area.top + area.height * (1 - low / 4), abs=2)
        assert min(ys) == pytest.approx(area.top + area.height * (1 - (low + 1) / 4), abs=2)
    expect(chart.root.locator(".ramp")).to_have_text("1100 calls")


def test_a_heatmap_reads_out_the_bucket_that_is_pointed_at(new: New) -> None:
    chart = new("heatmap")
    chart.paint(bounds=BOUNDS, counts=[[0, k, 3, 0, 1] for k in range(COUNT)])
    note = chart.root.locator(".note")
    expect(note).to_have_text("500 us to 1 ms: 59 of 63 calls (93.7%), the most")
    # Five rows, each twice as high as the one below it.
    chart.point(9, 0.5)
    expect(note).to_have_text("1 ms to 2 ms: 3 of 13 calls (23.1%)")
    chart.point(9, 0.95)
    expect(note).to_have_text("above 4 ms: 1 of 13 calls (7.7%)")
    chart.point(0, 0.05)
    expect(note).to_have_text("up to 500 us: 0 of 4 calls (0%)")
    chart.plot.focus()
    for key, text in {
        "ArrowUp": "500 us to 1 ms: 0 of 4 calls (0%)",
        "ArrowRight": "500 us to 1 ms: 1 of 5 calls (20.0%)",
        "ArrowDown": "up to 500 us: 0 of 5 calls (0%)",
    }.items():
        chart.plot.press(key)
        expect(note).to_have_text(text)
        assert text in (chart.plot.get_attribute("aria-valuetext") or "")


def test_a_heatmap_without_calls_says_so(new: New) -> None:
    chart = new("heatmap")
    for counts in ([None] * COUNT, [[0] * 5] * COUNT):
        chart.paint(bounds=BOUNDS, counts=counts)
        expect(chart.root.locator(".note")).to_have_text("no calls")
    chart.root.get_by_role("button", name="Table").click()
    buckets = ["up to 500 us", "500 us to 1 ms", "1 ms to 2 ms", "2 ms to 4 ms", "above 4 ms"]
    expect(chart.root.get_by_role("columnheader")).to_have_text(["Time", *buckets])


def test_stages_are_lines_and_a_bar_of_shares(new: New) -> None:
    chart = new("stages")
    spiky = [6e-5] * 50 + [0.5] + [6e-5] * 9
    series = [{"name": "queue", "values": spiky}, {"name": "run", "values": [1.8e-4] * COUNT}]
    chart.paint(series=series)
    assert chart.values() == ["queue 60 us (25.0%)", "run 180 us (75.0%)"]
    bar = chart.root.get_by_role("img", name="Shares of a call's time: queue 25.0%, run 75.0%")
    parts = widths(bar.locator("span"))
    assert parts[1] / parts[0] == pytest.approx(3, rel=0.05)
    # Microseconds are readable beside half a second: they are apart, and above the bottom.
    area = chart.area()
    runs = [y for x, y in chart.ink("series-2") if x < area.x(45)]
    queues = [y for x, y in chart.ink("series-1") if x < area.x(45)]
    assert min(queues) - max(runs) > 5
    chart.point(50)
    expect(chart.root.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"queue 99\.96\d*%")
    )


def test_stages_as_shares_over_time(new: New) -> None:
    chart = new("stages")
    series = [{"name": name, "values": [1e-4] * COUNT} for name in ("decode", "run")]
    chart.paint(series=series)
    share = chart.root.get_by_role("button", name="Share")
    share.click()
    expect(share).to_have_attribute("aria-pressed", "true")
    expect(share).to_be_focused()
    chart.paint(series=series)
    area = chart.area()
    filled = [y for x, y in chart.ink("series-1") if x == round(area.x(30))]
    assert len(filled) == pytest.approx(area.height / 2, abs=3)
    expect(share).to_be_focused()
    chart.paint(series=[{**one, "values": [NAN] * COUNT} for one in series])
    expect(chart.root.get_by_role("img", name="No calls")).to_be_attached()


def cells(chart: Chart) -> list[list[str]]:
    rows = chart.root.get_by_role("row").all()
    return [row.locator("th, td.number").all_inner_texts() for row in rows]


def widths(found: Locator) -> list[float]:
    boxes = found.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().width)")
    return [float(width) for width in boxes]


def test_shares_are_bars_with_the_largest_first(new: New) -> None:
    chart = new("shareBars")
    rows = [{"name": name, "value": value} for name, value in {"1": 10, "7": 30, "3": 0}.items()]
    chart.show(rows=rows)
    assert cells(chart) == [["7", "75.0%", "30"], ["1", "25.0%", "10"], ["3", "0%", "0"]]
    found = widths(chart.root.locator(".bar:visible"))
    assert found[0] / found[1] == pytest.approx(3, rel=0.02)


def test_of_many_shares_twelve_have_bars_and_the_rest_is_added_up(new: New) -> None:
    chart = new("shareBars")
    chart.show(rows=[{"name": f"label {k}", "value": k} for k in range(101)])
    shown = [f"label {k}" for k in range(100, 88, -1)]
    assert [row[0] for row in cells(chart)] == [*shown, "89 others"]
    assert cells(chart)[-1] == ["89 others", "77.5%", "3,916"]
    assert len(widths(chart.root.locator(".bar:visible"))) == 12
    chart.show(rows=[{"name": "only", "value": 1}])
    assert cells(chart) == [["only", "100%", "1"]]


def test_without_shares_it_says_so(new: New) -> None:
    chart = new("shareBars")
    chart.show(rows=[])
    expect(chart.root.get_by_text("Nothing yet.")).to_be_visible()
    expect(chart.root.get_by_role("table")).to_be_hidden()
    chart.show(rows=[{"name": "7", "value": 1}])
    expect(chart.root.get_by_text("Nothing yet.")).to_have_count(0)


def test_names_are_texts_whatever_they_hold(new: New) -> None:
    name = '<b>"7"</b> & co'
    bars, chart = new("shareBars"), new("lineChart")
    bars.show(rows=[{"name": name, "value": 1}])
    chart.show(unit="rate", series=[{"name": name, "values": [1] * COUNT}])
    assert cells(bars)[0][0] == name
    assert chart.values() == [f"{name} 1 /s"]


def test_a_tile_is_a_number_with_its_unit_and_a_line(new: New) -> None:
    chart = new("tile")
    chart.show(title="Calls", value="12.3 calls/s", detail="4,567 since the start")
    assert chart.root.inner_text().split("\n") == ["Calls", "12.3 calls/s", "4,567 since the start"]
    expect(chart.root.locator(".unit")).to_have_text(" calls/s")
    chart.show(title="Errors", value="-", state="bad")
    expect(chart.root.locator(".bad")).to_have_text("-")
