"""What charts work out before they draw: texts of numbers, ticks and scales."""

import math
import random
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from mlpserve.terminal.durations import format_duration

NAN = math.nan
RUN = """async ([file, name, calls]) => {
  const module = await import(`/static/watch/charts/${file}.js`);
  return calls.map((values) => module[name](...values));
}"""


def call(blank: Page, file: str, name: str, *calls: list[Any]) -> list[Any]:
    """Return what a function of a module returns for each list of arguments."""
    found: list[Any] = blank.evaluate(RUN, [file, name, list(calls)])
    return found


def many(low: float, high: float, seed: int) -> list[float]:
    """Numbers of all sizes, those halfway between texts, and the next floats to them."""
    chance = random.Random(seed)
    sizes = [10 ** chance.uniform(math.log10(low), math.log10(high)) for _ in range(2000)]
    # These are exact in binary, and so truly halfway, which Python rounds to even.
    halves = [chance.randrange(1, 20_000) / 2 ** chance.randrange(12) for _ in range(2000)]
    rounded = [float(f"{size:.{chance.randrange(1, 5)}g}") for size in sizes]
    exact = [number for number in halves + rounded if low <= number <= high]
    near = [*np.nextafter(exact, 0).tolist(), *np.nextafter(exact, np.inf).tolist()]
    return [*sizes, *exact, *(number for number in near if low <= number <= high)]


def test_durations_are_written_as_in_a_terminal(blank: Page) -> None:
    values = [*many(1e-10, 1e4, 1), 0.0, -0.0025, 0.0009999, 0.9996, 999.6, 123456.0, NAN, math.inf]
    found = call(blank, "format", "formatDuration", *([value] for value in values))
    assert found == [format_duration(value) for value in values]
    assert call(blank, "format", "formatDuration", [25e-5], [125e-5]) == ["250 us", "1.25 ms"]


@pytest.mark.parametrize(
    ("unit", "cases"),
    [
        ("Rate", {0.04: "0.04", 0.0016: "0.002", NAN: "-"}),
        (
            "Share",
            {0: "0%", 1: "100%", 0.5: "50.0%", 0.123: "12.3%", 0.0043: "0.43%", NAN: "-"},
        ),
        (
            "Share",
            {0.99996: "99.996%", 0.99953: "99.953%", 0.9999999: ">99.9999%", 1e-9: "<0.0001%"},
        ),
        ("Bytes", {0: "0 B", 950: "950 B", 134.2e6: "134 MB", 999.9e6: "1 GB", NAN: "-"}),
        ("Count", {0: "0", 1234567: "1,234,567", 3.6: "4", NAN: "-"}),
        ("Number", {0.97345: "0.973", 12.5: "12.5", 1234.5: "1,235", -0.25: "-0.25", NAN: "-"}),
    ],
)
def test_other_numbers(blank: Page, unit: str, cases: dict[float, str]) -> None:
    found = call(blank, "format", f"format{unit}", *([value] for value in cases))
    assert found == list(cases.values())


def test_what_is_not_there_is_a_dash_in_every_unit(blank: Page) -> None:
    found = blank.evaluate(
        """async () => {
          const { formatOf } = await import("/static/watch/charts/format.js");
          const units = ["seconds", "rate", "share", "bytes", "count", "number"];
          return units.flatMap((unit) => [null, undefined, NaN].map(formatOf(unit)));
        }"""
    )
    assert set(found) == {"-"}


def test_linear_ticks_are_numbers_that_people_count_in(blank: Page) -> None:
    chance = random.Random(3)
    asked = [[10 ** chance.uniform(-6, 12), chance.randrange(2, 9)] for _ in range(500)]
    for (most, count), ticks in zip(
        asked, call(blank, "ticks", "linearTicks", *asked), strict=True
    ):
        step = ticks[1]
        assert ticks[0] == 0
        assert ticks[-2] < most <= ticks[-1] * (1 + 1e-9)
        assert len(ticks) <= count + 1
        np.testing.assert_allclose(np.diff(ticks), step, rtol=1e-6)
        assert f"{step:.11e}"[0] in "125"
    examples = call(blank, "ticks", "linearTicks", [450, 4], [0.3, 3], [0, 4], [2, 5, 1], [0, 4, 1])
    assert examples == [[0, 200, 400, 600], [0, 0.1, 0.2, 0.3], [0, 0.5, 1], [0, 1, 2], [0, 1]]


def test_logarithmic_ticks(blank: Page) -> None:
    found = call(blank, "ticks", "logTicks", [1e-4, 1e-3, 5], [2e-4, 2, 5], [1e-5, 1e3, 4])
    assert found == [
        [1e-4, 2e-4, 5e-4, 1e-3],
        [1e-3, 1e-2, 0.1, 1],
        [1e-5, 1e-2, 10],
    ]


def test_ticks_of_time_are_round_and_not_too_many(blank: Page) -> None:
    noon = 1_796_126_400
    asked = [[noon - range_ + 7, noon + 7, count] for range_ in (60, 300, 900) for count in (2, 6)]
    for (begin, end, count), ticks in zip(
        asked, call(blank, "ticks", "timeTicks", *asked), strict=True
    ):
        times = [tick["time"] for tick in ticks]
        assert 1 <= len(times) <= count + 1
        assert all(begin <= time <= end and time % 5 == 0 for time in times)
        assert len({tick["text"] for tick in ticks}) == len(ticks)


def test_texts_of_ticks_differ(blank: Page) -> None:
    tops = [0.003, 0.04, 0.3, 1, 7, 45, 800, 12_345, 3e6]
    every = call(blank, "ticks", "linearTicks", *([top, 5] for top in tops))
    for unit in ("rate", "share", "seconds", "bytes", "number"):
        for ticks in every:
            texts = call(blank, "ticks", "tickText", *([tick, unit, ticks[1]] for tick in ticks))
            # Bytes below one are nobody's.
            assert len(set(texts)) == len(texts) or (unit == "bytes" and ticks[-1] <= 1), texts


def test_a_few_spikes_are_left_out_and_what_lasts_is_not(blank: Page) -> None:
    quiet = [10.0] * 57
    cases = [
        ([*quiet, 1000, 20, 10], 30),
        ([*quiet, 1000, None, NAN], 30),
        ([*quiet[:-1], 1000, 1000, 1000, 1000], 1000),
        ([*quiet, 20, 25, 29], 29),
        ([0] * 59 + [4], 4),
        ([5], 5),
        ([], 0),
        ([NAN] * 60, 0),
    ]
    found = call(blank, "scale", "withoutSpikes", *([values] for values, _ in cases))
    assert found == [limit for _, limit in cases]


def test_a_busy_series_is_no_spike_beside_many_quiet_ones(blank: Page) -> None:
    found = blank.evaluate(
        """async () => {
          const { linearScale } = await import("/static/watch/charts/scale.js");
          const quiet = Array.from({ length: 40 }, () => Array(60).fill(1));
          return linearScale([...quiet, Array(60).fill(900)]).top;
        }"""
    )
    assert found >= 900


def test_scales_put_values_where_they_belong(blank: Page) -> None:
    found = blank.evaluate(
        """async () => {
          const { linearScale, logScale } = await import("/static/watch/charts/scale.js");
          const linear = linearScale([[0, 300, NaN, null]], { count: 4 });
          const log = logScale([[0.0002, 0.03, NaN], [0, -1, null]]);
          const flat = logScale([[0.0013, 0.0014]]);
          const empty = logScale([[NaN]]);
          return {
            linear: [linear.top, ...[0, 100, 400].map(linear.place)],
            log: [log.low, log.top, ...[0.0002, 0.05, Math.sqrt(1e-5), 0, -1].map(log.place)],
            ratios: [flat, empty].map(({ low, top }) => top / low),
            within: [flat.low, flat.top],
          };
        }"""
    )
    assert found["linear"] == [300, 0, pytest.approx(1 / 3), pytest.approx(4 / 3)]
    assert found["log"] == [2e-4, 0.05, *map(pytest.approx, (0, 1, 0.5)), 0, 0]
    assert min(found["ratios"]) >= 10 * (1 - 1e-9)
    assert found["within"][0] <= 0.0013 < 0.0014 <= found["within"][1]


def test_series_are_stacked(blank: Page) -> None:
    lists = [[1, NAN, 2, 0], [3, None, NAN, 0]]
    (shares,) = call(blank, "scale", "stackedShares", [lists])
    np.testing.assert_array_equal(shares, [[0.25, NAN, 1, NAN], [1, NAN, 1, NAN]])


def test_columns_and_times_lead_to_each_other(blank: Page) -> None:
    found = blank.evaluate(
        """async () => {
          const { columnsOf } = await import("/static/watch/charts/scale.js");
          const columns = columnsOf([105, 110, 115, 120]);
          return {
            ends: [columns.begin, columns.end],
            back: [0, 1, 2, 3].map((k) => columns.at(columns.time(k))),
            outside: [99, 121, null].map((time) => columns.at(time)),
            places: [100, 110, 120].map(columns.place),
            alone: [columnsOf([7]).at(6.5), columnsOf([]).at(0)],
          };
        }"""
    )
    assert found == {
        "ends": [100, 120],
        "back": [0, 1, 2, 3],
        "outside": [-1, -1, -1],
        "places": [0, 0.5, 1],
        "alone": [0, -1],
    }
