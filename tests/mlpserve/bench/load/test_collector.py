"""Rows add up to the result, whenever they arrive."""

import numpy as np
import numpy.typing as npt
import pytest

from mlpserve.bench.encoding import from_json, to_json
from mlpserve.bench.histogram import quantile_seconds
from mlpserve.bench.load.collector import Collector
from mlpserve.bench.load.recorder import UNSENT
from mlpserve.bench.load.schedule import NANOSECONDS
from mlpserve.bench.result import Plan, Result

PLAN = Plan("localhost:50051", rate=1000.0, check=True)
MILLISECOND = NANOSECONDS // 1000
OK, EXHAUSTED, UNAVAILABLE = 0, 8, 14


def collect(*batches: list[tuple[int, int, int, int, int, int]], plan: Plan = PLAN) -> Result:
    collector = Collector(plan)
    for batch in batches:
        collector.add(np.array(batch, np.int64).reshape(-1, 6), {})
    return collector.result(1.0)


def call(
    intended: float, lag: float, took: float, code: int = OK, images: int = 1, wrong: int = 0
) -> tuple[int, int, int, int, int, int]:
    """A call by its times in milliseconds."""
    begin, sent, end = intended, intended + lag, intended + lag + took
    times = [round(time * MILLISECOND) for time in (begin, sent, end)]
    return times[0], times[1], times[2], code, images, wrong


def test_counts() -> None:
    result = collect(
        [call(0, 1, 2), call(1, 0, 5, images=64, wrong=3), call(999, 0, 2, EXHAUSTED, 64)],
        [],
        [(2 * NANOSECONDS, 0, 0, UNSENT, 1, 0), call(2500, 0, 1, UNAVAILABLE)],
    )
    assert (result.sent, result.answered, result.images, result.unsent) == (4, 2, 65, 1)
    assert result.codes == {"OK": 2, "RESOURCE_EXHAUSTED": 1, "UNAVAILABLE": 1}
    assert result.wrong_labels == 3
    assert result.seconds == 2.501
    windows = [
        (one.second, one.sent, one.unsent, one.answered, one.failed) for one in result.windows
    ]
    # The call that was due in the first second ended in the next.
    assert windows == [(0, 3, 0, 2, 0), (1, 0, 0, 0, 1), (2, 1, 1, 0, 1)]


def test_nothing_at_all() -> None:
    result = collect()
    assert (result.sent, result.seconds, result.windows, result.codes) == (0, 0.0, (), {})
    assert quantile_seconds(result.intended, 0.5) is None


def test_only_ok_counts_as_a_latency_and_every_call_sent_as_lag() -> None:
    result = collect([call(0, 3, 4), call(10, 100, 5000, UNAVAILABLE)])
    assert quantile_seconds(result.intended, 1.0) == pytest.approx(0.007, rel=0.001)
    assert quantile_seconds(result.service, 1.0) == pytest.approx(0.004, rel=0.001)
    assert quantile_seconds(result.lag, 1.0) == pytest.approx(0.1, rel=0.001)
    (first, *_) = result.windows
    assert first.intended.get_total_count() == 1


def test_a_closed_loop_has_no_lag() -> None:
    plan = Plan("localhost:50051", concurrency=1)
    assert collect([call(0, 0, 4)], plan=plan).lag.get_total_count() == 0
    assert collect([call(0, 0, 4)], plan=plan).wrong_labels is None


def many_rows(count: int) -> npt.NDArray[np.int64]:
    random = np.random.default_rng(0)
    intended = np.sort(random.integers(0, 20 * NANOSECONDS, count))
    sent = intended + random.integers(0, MILLISECOND, count)
    ended = sent + random.lognormal(15, 1, count).astype(np.int64)
    codes = random.choice([OK, UNAVAILABLE], count, p=[0.9, 0.1])
    return np.stack([intended, sent, ended, codes, np.ones(count), np.zeros(count)], 1).astype(
        np.int64
    )


def test_batches_do_not_matter_and_quantiles_are_numpys() -> None:
    rows = many_rows(120_000)
    results = []
    for size in (120_000, 7_001):
        collector = Collector(PLAN)
        for first in range(0, len(rows), size):
            collector.add(rows[first : first + size], {})
        results.append(collector.result(1.0))
    whole, parts = results
    assert to_json(whole) == to_json(parts)
    ok = rows[rows[:, 3] == OK]
    for histogram, begin in ((whole.intended, 0), (whole.service, 1)):
        latencies = (ok[:, 2] - ok[:, begin]) / NANOSECONDS
        assert histogram.get_total_count() == len(ok)
        for quantile in (0.5, 0.9, 0.99, 0.999):
            expected = np.quantile(latencies, quantile, method="inverted_cdf")
            assert quantile_seconds(histogram, quantile) == pytest.approx(expected, rel=0.005)
    assert sum(window.sent for window in whole.windows) == len(rows)
    assert sum(window.intended.get_total_count() for window in whole.windows) == len(ok)


def test_the_result_survives_json() -> None:
    collector = Collector(PLAN)
    collector.add(many_rows(1000), {UNAVAILABLE: "gone"})
    result = collector.result(1.0, lost_processes=("by SIGKILL",), unmeasured=3)
    again = from_json(to_json(result))
    assert to_json(again) == to_json(result)
    assert again.messages == {"UNAVAILABLE": "gone"}
    assert again.plan == PLAN
    assert again.lost_processes == ("by SIGKILL",)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "mlpserve-bench-1"}', '{"format": "x", "plan": {}}']
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a result of mlpserve bench --json"):
        from_json(text)


def test_a_stall_is_found() -> None:
    calls = [call(10 * number, 0, 2) for number in range(100)]
    late = [call(1000 + 10 * number, 0, 2000 - 10 * number) for number in range(200)]
    after = [call(3000 + 10 * number, 0, 2) for number in range(100)]
    (stall,) = collect(calls + late + after).stalls
    assert (stall.begin_seconds, stall.end_seconds) == pytest.approx((1.01, 3.0), abs=0.011)
    assert stall.calls == 200


def test_silence_without_calls_is_no_stall() -> None:
    assert collect([call(0, 0, 2), call(5000, 0, 2)]).stalls == ()


def test_failures_end_a_stall_too() -> None:
    calls = [call(0, 0, 1000, UNAVAILABLE), call(0, 0, 2000)]
    assert [stall.end_seconds for stall in collect(calls).stalls] == [1.0, 2.0]
    assert [stall.calls for stall in collect(calls).stalls] == [2, 1]
