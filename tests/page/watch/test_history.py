"""What the page remembers: a quarter of an hour, without holes where there are none."""

from typing import Any

import pytest
from playwright.sync_api import Page

RUN = """async (steps) => {
    const { History } = await import("/static/watch/data/history.js");
    const history = new History();
    const add = (seconds, calls, more = "") => history.add(
        `mlpserve_workers 1\\n${["0", "parent"].map((name) =>
            `process_start_time_seconds{worker="${name}"} 1\\n`).join("")}` +
        `grpc_server_started_total{worker="0",grpc_method="Predict"} ${calls}\\n${more}`, seconds);
    const STARTED = "grpc_server_started_total";
    for (const [seconds, calls] of steps) add(seconds, calls);
    BODY
}"""

POINTS = """
    return history.points(RANGE, history.time).map(({ time, look }) =>
        [time, look && look.seconds, look && look.increase(STARTED)]);
"""


def run(page: Page, body: str, *steps: tuple[float, float]) -> Any:
    """Add pages, each read at a time and with so many calls, and return what a body returns."""
    return page.evaluate(RUN.replace("BODY", body), steps)


def points(page: Page, seconds: int, *steps: tuple[float, float]) -> list[list[float | None]]:
    """Return each point's time, its seconds and the calls in them."""
    found: list[list[float | None]] = run(page, POINTS.replace("RANGE", str(seconds)), *steps)
    return found


def test_each_page_is_in_one_point(blank: Page) -> None:
    """Also where a second has none, and the one after has two."""
    times = (0.0, 0.99, 2.01, 2.99, 4.0)
    steps = [(time, 10.0 * k) for k, time in enumerate(times)]
    found = points(blank, 60, *steps)
    assert [point[0] for point in found] == [0, 0.99, 2.99, 4.0]
    assert [point[2] for point in found] == [0, 10, 20, 10]
    assert [point[1] for point in found[1:]] == pytest.approx([0.99, 2.0, 1.01])


def test_points_of_longer_ranges_hold_several_pages(blank: Page) -> None:
    steps = [(float(time), 2.0 * time) for time in range(41)]
    found = points(blank, 300, *steps)
    assert [point[0] for point in found] == [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert [point[1:] for point in found[1:]] == [[5, 10]] * 8
    assert [point[0] for point in points(blank, 900, *steps)] == [0, 15, 30, 40]


def test_a_time_without_pages_is_a_gap(blank: Page) -> None:
    """What was counted in it is in the point after, as the rate of all of it."""
    found = points(blank, 300, (1, 0), (2, 5), (63, 127), (64, 128))
    assert found[:2] == [[2, 1, 5], [32.5, None, None]]
    assert found[2] == [64, 62, 123]


def test_finished_points_are_not_computed_again(blank: Page) -> None:
    same = run(
        blank,
        """
        const before = history.points(300, history.time);
        add(41.5, 100);
        const after = history.points(300, history.time);
        return before.map(({ look }, k) => look === after[k].look);
        """,
        *((float(time), 2.0 * time) for time in range(42)),
    )
    assert same == [True] * 9 + [False]


def test_a_quarter_of_an_hour_is_kept(blank: Page) -> None:
    kept = run(
        blank,
        """
        const first = history.look(0, 200);
        const whole = history.look(0, history.time);
        return [first, whole.seconds, whole.total(STARTED),
            history.points(900, history.time).length, history.points(60, history.time).length];
        """,
        *((float(time), 3.0 * time) for time in range(1201)),
    )
    assert kept == [None, 900, 3600, 60, 60]


def test_versions_that_are_gone_are_forgotten_but_for_what_they_counted(blank: Page) -> None:
    found = run(
        blank,
        """
        const IMAGES = "mlpserve_images_total";
        for (let k = 0; k < 600; k += 1) {
            const labels = `{worker="0",model="digits",version="${k}"}`;
            const loaded = `mlpserve_model_info${labels} 1\\n`;
            for (const images of [0, 7]) {
                add(20 * k + images, k, `${IMAGES}${labels} ${images}\\n${loaded}`);
            }
        }
        const look = history.look(history.time - 5, history.time);
        return [look.total(IMAGES), look.totals(IMAGES, "version").size,
            look.increase(IMAGES), look.increase(IMAGES, { version: "599" }),
            look.facts("mlpserve_model_info").map(({ labels }) => labels.version)];
        """,
    )
    total, remembered, *newest = found
    # What the first had counted when the page was opened belongs to the totals as well.
    assert total == 600 * 7
    # Of the last half hour at most, one each twenty seconds.
    assert 45 <= remembered <= 91
    assert newest == [7, 7, ["599"]]


def test_before_any_page_nothing_is_known(blank: Page) -> None:
    assert run(blank, "return [history.look(0, 1), history.points(60, 1)];") == [None, []]
