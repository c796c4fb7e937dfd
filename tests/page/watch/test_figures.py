"""The page's numbers are those of `mlpserve top`, of whatever pages a server may write."""

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from harness.browser import open_page
from harness.server_process import ServerProcess
from mlpserve.metrics import figures
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.looks import Look, RecentWatch
from mlpserve.metrics.versions import versions
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.numbers import format_megabytes, format_number, format_share
from tests.mlpserve.metrics.simulated import Simulated

Pages = Sequence[tuple[str, float]]
"""Texts of /metrics, and when each was read."""

SECTIONS: Mapping[str, Callable[[Look], Any]] = {
    section.__name__: section
    for section in (
        figures.head,
        figures.calls,
        figures.methods,
        figures.codes,
        figures.rejected,
        figures.restarts,
        figures.images,
        figures.runs,
        figures.queue,
        figures.stages,
        figures.workers,
        versions,
    )
}

READ = """async ([pages, over, sections]) => {
    const { History } = await import("/static/watch/data/history.js");
    const figures = await import("/static/watch/data/figures.js");
    const history = new History();
    const read = (seconds) => {
        const look = history.look(seconds - over, seconds);
        return Object.fromEntries(sections.map((name) => [name, figures[name](look)]));
    };
    const live = pages.map(([text, seconds]) => {
        history.add(text, seconds);
        return read(seconds);
    });
    return { live, later: pages.map(([, seconds]) => read(seconds)) };
}"""


@pytest.fixture(scope="module")
def blank(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """A page of the server's origin that shows nothing."""
    with open_page(browser, server.http_address, "/readyz") as opened:
        yield opened.page


def read_by_page(blank: Page, pages: Pages, over: float) -> dict[str, list[dict[str, Any]]]:
    """Return what the page's modules make of each of some pages, over so many seconds: at once, and
    of the same times later, as when the page is paused.
    """
    found: dict[str, list[dict[str, Any]]] = blank.evaluate(
        READ, [list(pages), over, list(SECTIONS)]
    )
    return found


def read_by_top(pages: Pages, over: float) -> list[dict[str, Any]]:
    """Return what `mlpserve top` makes of them, by the names that JavaScript has."""
    watch = RecentWatch(over)
    looks = (watch.look(parse(text), seconds) for text, seconds in pages)
    return [{name: rename(section(look)) for name, section in SECTIONS.items()} for look in looks]


def rename(value: Any) -> Any:
    """Return dataclasses as dictionaries, with JavaScript's names of their fields."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {
            re.sub("_(.)", lambda match: match[1].upper(), name): rename(getattr(value, name))
            for name in names
        }
    if isinstance(value, Mapping):
        return {key: rename(item) for key, item in value.items()}
    return [rename(item) for item in value] if isinstance(value, (list, tuple)) else value


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Compare two trees of numbers, of which nan is one."""
    if isinstance(expected, Mapping):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where} {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for k, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where} {k}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), where
    else:
        assert found == expected, where


def eventful(seed: int) -> Pages:
    """Pages about a second apart of a server to which all happens that may happen."""
    server = Simulated(seed)
    pages, time = [], 100.0
    for step in range(16):
        match step:
            case 3:
                server.silent = {"1"}
            case 5:
                server.restart("0")
            case 7:
                # Meanwhile it has begun anew, and counted much.
                server.restart("1")
                server.work(40)
                server.silent = set()
            case 9:
                time += 60
            case 11:
                server.restart()
            case 13:
                server.restart("3")
        server.work(10)
        pages.append((server.page(), time))
        time += 0.9 + 0.2 * server.random.random()
    return pages


def quiet() -> Pages:
    server = Simulated(0, tells_predictions=False)
    server.work(0)
    first = server.page()
    server.work(5)
    return [(first, 1.0), (first, 2.0), (server.page(), 3.0)]


CASES: Mapping[str, Pages] = {
    "eventful": eventful(1),
    "eventful too": eventful(2),
    "without predictions": quiet(),
    "nothing": [("", 1.0), ("\n# EOF\n", 2.0)],
    "no numbers": [
        ("mlpserve_workers two\nup NaN 5\n\nmlpserve_workers_ready 2 3\nmlpserve_workers", 1.0)
    ],
}


@pytest.mark.parametrize("over", [1.05, 5.0, 600.0])
@pytest.mark.parametrize("case", CASES)
def test_they_are_the_same(blank: Page, case: str, over: float) -> None:
    pages = CASES[case]
    found, expected = read_by_page(blank, pages, over), read_by_top(pages, over)
    assert_same(found["live"], expected)
    assert_same(found["later"], expected)


def test_they_are_shown_in_the_same_way(blank: Page) -> None:
    numbers = [0, 1e-9, 0.00099949, 0.0009995, 0.03125, 0.125, 0.005, 0.0049, 0.994, 0.995, 1]
    numbers += [2.25, 2.5, 999.5, 1234.5678, 12345678.5, 1e15 / 7, 59.95, 3600, math.nan]
    found = blank.evaluate(
        """async (numbers) => {
            const it = await import("/static/watch/data/formats.js");
            return numbers.map((number) => [
                it.formatDuration(number),
                ...[0, 1, 2].flatMap((digits) => [
                    it.formatNumber(number, digits),
                    it.formatShare(number, digits),
                ]),
                it.formatMegabytes(number),
            ]);
        }""",
        numbers,
    )
    assert found == [
        [
            format_duration(number),
            *(show(number, k) for k in range(3) for show in (format_number, format_share)),
            format_megabytes(number),
        ]
        for number in numbers
    ]
