"""The page's numbers are those of `mlpserve top`, of whatever pages a server may write."""

import dataclasses
import math
import random
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
from mlpserve.terminal.numbers import format_bytes, format_count, format_number, format_share
from mlpserve.terminal.tables import format_rate
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
    chance = random.Random(0)
    numbers = [chance.choice((1, 10)) ** chance.uniform(-8, 13) for _ in range(500)]
    numbers += [chance.randrange(2000) / 2 ** chance.randrange(12) for _ in range(500)]
    numbers += [0, 1, 0.0625, 0.99996, 1 - 1e-7, 1 - 1e-5, 1e-4, 1e-5, 950, 999.6e6, math.nan]
    found = blank.evaluate(
        """async (numbers) => {
            const it = await import("/static/watch/charts/format.js");
            const shown = [it.formatDuration, it.formatRate, it.formatShare, it.formatBytes];
            return [...shown, it.formatNumber].map((show) => numbers.map(show));
        }""",
        numbers,
    )
    shown = (format_duration, format_rate, format_share, format_bytes, format_number)
    for texts, show in zip(found, shown, strict=True):
        assert texts == [show(number) for number in numbers]
    counts = [0, 7, 1000, 1234567]
    found = blank.evaluate(
        """async (counts) => {
            const { formatCount } = await import("/static/watch/charts/format.js");
            return counts.map(formatCount);
        }""",
        counts,
    )
    assert found == list(map(format_count, counts))
