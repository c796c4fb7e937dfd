"""Charts over time: what is drawn, and read out under a pointer, a finger or by keyboard."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.test_accessibility import check
from tests.page.watch.drawing import CLEAR, COUNT, FRAMES, STEP, TIMES, Chart

NAN = math.nan
FLAT = [0.002] * COUNT
RISING = [float(k) for k in range(COUNT)]

New = Callable[..., Chart]


@pytest.fixture
def new(blank: Page) -> Iterator[New]:
    """Makes empty charts, which are gone after the test."""
    numbers = count()
    blank.mouse.move(0, 0)
    yield lambda kind="lineChart": Chart(blank, kind, f"chart{next(numbers)}")
    blank.evaluate(CLEAR)


def lines(*values: Sequence[float | None]) -> list[dict[str, object]]:
    return [{"name": f"line {k}", "values": each} for k, each in enumerate(values)]


def test_it_is_a_figure_with_a_name_a_hint_and_a_key(new: New) -> None:
    chart = new()
    chart.paint(unit="seconds", title="Duration", hint="Lower is better.", series=lines(FLAT, FLAT))
    figure = chart.root.get_by_role("figure", name="Duration", exact=True)
    expect(figure.get_by_role("heading", name="Duration")).to_be_visible()
    expect(figure.get_by_text("Lower is better.")).to_be_visible()
    expect(figure.get_by_role("slider", name="Duration", exact=True)).to_be_visible()
    assert chart.values() == ["line 0 2 ms", "line 1 2 ms"]
    dashes = [line.get_attribute("stroke-dasharray") for line in figure.locator("line").all()]
    assert len(set(dashes)) == 2


def test_lines_go_where_the_values_are(new: New) -> None:
    chart = new()
    chart.paint(unit="rate", series=lines([0] * 30 + [100] * 30))
    area, ink = chart.area(), chart.ink("series-1")
    low = [y for x, y in ink if x < area.x(28)]
    high = [y for x, y in ink if x > area.x(31)]
    assert min(low) == pytest.approx(area.top + area.height, abs=3)
    assert max(high) == pytest.approx(area.top, abs=3)
    assert min(x for x, _ in ink) == pytest.approx(area.x(0), abs=2)
    assert max(x for x, _ in ink) == pytest.approx(area.x(59), abs=2)


def test_where_there_is_no_value_there_is_a_gap(new: New) -> None:
    chart = new()
    chart.paint(unit="rate", series=lines([5] * 20 + [NAN] * 10 + [5] + [NAN] * 9 + [5] * 20))
    area, ink = chart.area(), chart.ink("series-1")
    columns = {int((x - area.left) / area.width * COUNT) for x, _ in ink}
    assert columns >= {*range(1, 19), 30, *range(41, 59)}
    assert not columns & {*range(21, 29), *range(32, 39)}
    chart.point(25)
    expect(chart.root.locator(".keys")).to_have_text("line 0-")


@pytest.mark.parametrize("gone", [None, NAN])
def test_without_any_value_it_says_so_and_stays(new: New, gone: float | None) -> None:
    chart = new()
    for unit in ("seconds", "rate"):
        chart.paint(unit=unit, series=lines([gone] * COUNT))
        assert chart.ink("muted")
        assert not chart.ink("series-1")
        assert chart.values() == ["line 0 -"]


def test_a_spike_is_an_arrow_with_its_number_and_flattens_nothing(new: New) -> None:
    chart = new()
    quiet = [10.0 + k % 2 for k in range(COUNT)]
    chart.paint(unit="rate", series=lines(quiet))
    area = chart.area()
    plain = min(y for _, y in chart.ink("series-1"))
    assert plain > area.top - 2
    chart.show(unit="rate", series=lines([*quiet[:40], 5000, *quiet[41:]]))
    ink = chart.ink("series-1")
    above = [x for x, y in ink if area.top - 3 <= y < area.top - 1]
    assert above
    assert sum(above) / len(above) == pytest.approx(area.x(40), abs=4)
    heights = [area.top + area.height - y for x, y in ink if x < area.x(38)]
    assert max(heights) > area.height / 4


def test_durations_are_logarithmic(new: New) -> None:
    chart = new()
    chart.paint(unit="seconds", series=lines([1e-4] * 40 + [1.0] * 2 + [1e-3] * 18))
    area, ink = chart.area(), chart.ink("series-1")
    middles = [
        sum(found) / len(found)
        for begin, end in ((2, 38), (44, 58))
        if (found := [y for x, y in ink if area.x(begin) < x < area.x(end)])
    ]
    assert middles[0] - middles[1] == pytest.approx(area.height / 4, abs=2)


def test_shares_fill_what_they_stand_for(new: New) -> None:
    chart = new()
    series = lines([30.0] * COUNT, [10.0] * COUNT)
    chart.paint(unit="rate", mode="share", series=series)
    area = chart.area()
    plain = [y for x, y in chart.ink("series-1") if x == round(area.x(30))]
    assert len(plain) == pytest.approx(area.height * 0.75, abs=3)
    assert min(y for _, y in chart.ink("series-2")) == pytest.approx(area.top, abs=2)
    assert chart.values() == ["line 0 75.0%", "line 1 25.0%"]
    textures = [patch.get_attribute("class") for patch in chart.root.locator(".swatch").all()]
    assert textures == ["swatch plain", "swatch rising"]


def test_the_pointer_reads_the_same_time_out_of_all_charts(new: New) -> None:
    charts = [new(), new(), new("heatmap")]
    charts[0].paint(unit="count", series=lines(RISING, FLAT))
    charts[1].paint(unit="rate", series=lines([2 * value for value in RISING]))
    charts[2].paint(bounds=[0.001, 0.01, math.inf], counts=[[k, 1, 0] for k in range(COUNT)])
    charts[0].point(37)
    # NOON - 22 steps of five seconds.
    for chart in charts:
        expect(chart.root.get_by_text("11:58:10")).to_be_visible()
    assert charts[0].values()[0] == "line 0 37"
    assert charts[1].values() == ["line 0 74 /s"]
    expect(
        charts[2].root.get_by_text("up to 1 ms: 37 of 38 calls (97.4%), the most")
    ).to_be_visible()
    for chart in charts:
        x = round(chart.area().x(37))
        assert {y for px, y in chart.ink("text") if px == x} >= {round(chart.area().top) + 5}
    charts[0].page.mouse.move(0, 0)
    for chart in charts:
        expect(chart.root.get_by_text("newest", exact=True)).to_be_visible()
    assert charts[1].values() == ["line 0 118 /s"]


def test_a_time_that_is_pointed_at_stays_as_time_passes_until_it_has_gone(new: New) -> None:
    chart = new()
    chart.paint(unit="count", series=lines(RISING))
    chart.point(10)
    expect(chart.root.locator(".keys .number")).to_have_text("10")
    later = [time + 3 * STEP for time in TIMES]
    chart.show(unit="count", times=later, series=lines([value + 3 for value in RISING]))
    expect(chart.root.locator(".keys .number")).to_have_text("10")
    chart.show(unit="count", times=[time + 300 for time in TIMES], series=lines(RISING))
    expect(chart.root.get_by_text("newest", exact=True)).to_be_visible()


def test_what_a_finger_points_at_stays_until_it_is_put_down_elsewhere(new: New) -> None:
    chart = new()
    chart.paint(unit="count", series=lines(RISING))
    box, x = chart.plot.bounding_box(), chart.area().x(20)
    assert box
    finger = {"pointerType": "touch", "clientX": box["x"] + x, "clientY": box["y"] + 50}
    for event in ("pointerdown", "pointerup", "pointerleave"):
        chart.plot.dispatch_event(event, {**finger, "bubbles": True})
    expect(chart.root.locator(".keys .number")).to_have_text("20")
    chart.page.locator("body").dispatch_event("pointerdown", {"pointerType": "touch"})
    expect(chart.root.locator(".keys .number")).to_have_text("59")


def test_arrow_keys_choose_a_time_that_is_read_aloud(new: New) -> None:
    chart, other = new(), new()
    for each in (chart, other):
        each.paint(unit="count", series=lines(RISING), marks=[])
    chart.plot.focus()
    keys = "ArrowLeft 59, PageUp 49, ArrowRight 50, Home 0, End 59, PageDown 59"
    for key, value in (each.split() for each in keys.split(", ")):
        chart.plot.press(key)
        expect(chart.root.locator(".keys .number")).to_have_text(value)
        expect(other.root.locator(".keys .number")).to_have_text(value)
    chart.plot.press("ArrowLeft")
    expect(chart.plot).to_have_attribute("aria-valuetext", "11:59:55: line 0 58")
    chart.plot.press("Escape")
    expect(chart.root.get_by_text("newest", exact=True)).to_be_visible()


def test_values_that_arrive_while_one_listens_are_not_read_aloud(new: New) -> None:
    chart = new()
    chart.paint(unit="count", series=lines(RISING))
    chart.plot.focus()
    before = chart.plot.get_attribute("aria-valuetext")
    assert before == "newest: line 0 59"
    chart.show(unit="count", series=lines([7.0] * COUNT))
    assert chart.values() == ["line 0 7"]
    assert chart.plot.get_attribute("aria-valuetext") == before
    chart.plot.blur()
    chart.show(unit="count", series=lines([8.0] * COUNT))
    expect(chart.plot).to_have_attribute("aria-valuetext", "newest: line 0 8")


def test_a_series_is_taken_out_and_put_back(new: New) -> None:
    chart = new()
    chart.paint(unit="rate", series=lines([1000.0] * COUNT, [1.0] * COUNT))
    before = max(y for _, y in chart.ink("series-2"))
    button = chart.root.get_by_role("button", name="line 0")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(chart.root.locator(".keys .number").first).to_have_text("hidden")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert not chart.ink("series-1")
    assert min(y for _, y in chart.ink("series-2")) < before - 50
    # It stays out, and the focus stays, when values come.
    chart.show(unit="rate", series=lines([1000.0] * COUNT, [1.0] * COUNT))
    assert not chart.ink("series-1")
    expect(button).to_be_focused()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    chart.show(unit="rate", series=lines([1000.0] * COUNT, [1.0] * COUNT))
    assert chart.ink("series-1")


def test_the_same_as_a_table_newest_first(new: New) -> None:
    chart = new()
    chart.paint(unit="seconds", series=lines([NAN, *FLAT[1:]], FLAT))
    chart.root.get_by_role("button", name="Table").click()
    expect(chart.plot).to_be_hidden()
    table = chart.root.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["Time", "line 0", "line 1"])
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(COUNT)
    expect(rows.first.locator("th, td")).to_have_text(["12:00:00", "2 ms", "2 ms"])
    expect(rows.last.locator("th, td")).to_have_text(["11:55:05", "-", "2 ms"])
    chart.root.get_by_role("button", name="Table").click()
    expect(chart.plot).to_be_visible()


def test_marks_are_lines_with_letters_and_read_out(new: New) -> None:
    chart = new()
    mark = {"time": TIMES[15] - 1, "letter": "R", "label": "worker 1 restarted"}
    before = {"time": TIMES[0] - 1000, "letter": "V", "label": "before the range"}
    chart.paint(unit="rate", series=lines(RISING), marks=[mark, before])
    area = chart.area()
    x = area.left + area.width * (15 + 1 - 1 / STEP) / COUNT
    dots = [(px, y) for px, y in chart.ink("text") if area.top < y < area.top + area.height - 2]
    assert dots
    assert {abs(px - x) < 2 for px, _ in dots} == {True}
    assert len({y for _, y in dots}) < area.height * 0.8
    chart.point(15)
    expect(chart.root.get_by_text("worker 1 restarted")).to_be_visible()
    assert "worker 1 restarted" in (chart.plot.get_attribute("aria-valuetext") or "")
    chart.point(16)
    expect(chart.root.get_by_text("worker 1 restarted")).to_have_count(0)


def test_it_is_drawn_again_in_the_colours_of_another_theme_and_on_paper(new: New) -> None:
    chart = new()
    chart.paint(unit="rate", series=lines(RISING))
    page = chart.page
    dark, light = "rgb(127, 178, 245)", "rgb(26, 127, 224)"
    assert chart.ink(dark)

    def change(script: str) -> None:
        page.evaluate(script)
        page.evaluate(FRAMES)

    change("document.documentElement.dataset.theme = 'light'")
    assert chart.ink(light)
    assert not chart.ink(dark)
    change("delete document.documentElement.dataset.theme")
    assert chart.ink(dark)
    # Paper has all of the page, and is printed before the next frame.
    far = new()
    chart.root.evaluate("(root) => { root.style.marginBottom = '3000px'; }")
    far.paint(unit="rate", series=lines(RISING))
    assert far.ink(dark)
    page.emulate_media(media="print")
    assert chart.ink(light)
    assert far.ink(light)
    page.emulate_media(media="screen")


def test_it_fits_its_box_at_the_screens_resolution(new: New) -> None:
    chart = new()
    chart.paint(unit="rate", series=lines(RISING))
    canvas = chart.root.locator("canvas")
    wide = canvas.evaluate("(canvas) => canvas.width")
    chart.root.evaluate("(root) => { root.style.width = '300px'; }")
    expect(canvas).to_have_js_property("width", 300)
    assert wide > 300
    assert max(x for x, _ in chart.ink("series-1")) == pytest.approx(chart.area().x(59), abs=2)


def test_out_of_sight_new_values_are_drawn_and_the_pointer_when_that_is_scrolled_to(
    new: New,
) -> None:
    near, far = new(), new()
    near.paint(unit="rate", series=lines(RISING))
    near.root.evaluate("(root) => { root.style.marginBottom = '3000px'; }")
    far.paint(unit="rate", series=lines(RISING))
    assert far.ink("series-1")
    near.plot.press("Home")
    expect(far.root.locator(".keys .number")).to_have_text("0 /s")
    assert near.ink("text")
    assert not far.ink("text")
    far.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    far.page.evaluate(FRAMES)
    assert far.ink("text")


def test_axe_finds_nothing_serious(new: New) -> None:
    contents: dict[str, dict[str, Any]] = {
        "lineChart": {"unit": "seconds", "series": lines(FLAT, FLAT)},
        "stages": {"series": lines(FLAT, FLAT)},
        "heatmap": {"bounds": [0.001, math.inf], "counts": [[k, 1] for k in range(COUNT)]},
        "shareBars": {"rows": [{"name": "7", "value": 3}, {"name": "1", "value": 1}]},
        "tile": {"value": "12.3 calls/s", "detail": "456 since the start"},
    }
    for kind, content in contents.items():
        new(kind).show(**content)
    table = new()
    table.show(unit="rate", series=lines(RISING))
    table.root.get_by_role("button", name="Table").click()
    for theme in ("dark", "light"):
        table.page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        check(table.page)
    table.page.evaluate("delete document.documentElement.dataset.theme")
