"""The page's numbers are those of `mlpserve top`, of whatever pages a server may write."""

import math
import random
from collections.abc import Mapping

import pytest
from playwright.sync_api import Page

from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.numbers import format_bytes, format_count, format_number, format_share
from mlpserve.terminal.tables import format_rate
from tests.mlpserve.metrics.simulated import Simulated
from tests.page.watch.comparing import Pages, assert_same, read_by_page, read_by_top


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
            case 8:
                server.reload("digits", "2")
            case 9:
                time += 60
            case 11:
                server.restart()
            case 13:
                server.restart("3", "0", "1")
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
            const shown = [it.formatDuration, it.formatRate, it.formatShare, it.formatNumber];
            const whole = numbers.map(Math.floor);
            return [
                ...shown.map((show) => numbers.map(show)),
                ...[it.formatBytes, it.formatCount].map((show) => whole.map(show)),
            ];
        }""",
        numbers,
    )
    whole = [number if math.isnan(number) else math.floor(number) for number in numbers]
    assert found == [
        *(
            [show(number) for number in numbers]
            for show in (format_duration, format_rate, format_share, format_number)
        ),
        *([show(number) for number in whole] for show in (format_bytes, format_count)),
    ]
