"""Where the time of calls went, summed exactly, in bounded memory, from many threads."""

from dataclasses import dataclass

import pytest

from harness.waiting import running_threads
from server.telemetry.accumulators import MAX_WAITING
from server.telemetry.predictions import MAX_EXACT_SIZE, Predictions, size_class


@dataclass(slots=True)
class Timed:
    begin: float
    waiting_since: float


def test_each_part_of_the_time_is_where_it_belongs() -> None:
    sums = Predictions()
    calls = [Timed(1.0, 1.5), Timed(2.0, 2.5)]
    sums.count_run(calls, 3, 3, (4.0, 6.0, 7.0))
    sums.count_run(calls[:1], 3, 2, (4.0, 5.0, 5.25))
    found = sums.sums()
    answered = found.answered
    assert answered.count == 3
    assert answered.decode_seconds == pytest.approx(3 * 0.5)
    assert answered.run_seconds == pytest.approx(2 * 2.0 + 1.0)
    assert answered.encode_seconds == pytest.approx(2 * 1.0 + 0.25)
    assert found.queue_seconds == pytest.approx(2.5 + 1.5 + 2.5)
    assert found.images == 5
    # From the arrival of each to its answer.
    parts = (answered.decode_seconds, answered.run_seconds, answered.encode_seconds)
    assert found.queue_seconds + sum(parts) == pytest.approx((7 - 1) + (7 - 2) + (5.25 - 1))
    (of_size,) = found.by_size.values()
    assert of_size.count == 2
    assert of_size.run_seconds == pytest.approx(3.0)
    assert of_size.decode_seconds == pytest.approx(2 * 0.5)


def test_a_run_of_which_all_calls_fail_is_a_run_without_calls() -> None:
    sums = Predictions()
    sums.count_run([], 2, 0, (4.0, 6.0, 7.0))
    sums.count_failure(0.0, "Internal")
    found = sums.sums()
    assert (found.answered.count, found.failed, found.images) == (0, 1, 0)
    assert found.failed_seconds > 0
    assert {size: times.count for size, times in found.by_size.items()} == {2: 1}
    assert found.last_time == 0


def test_sizes_are_exact_as_long_as_they_are_few() -> None:
    assert [size_class(size) for size in (1, 2, 63, 64)] == [1, 2, 63, 64]
    assert [size_class(size) for size in (65, 127, 128, 129, 4096, 4097)] == (
        [128, 128, 128, 256, 4096, 8192]
    )
    assert len({size_class(size) for size in range(1, 100_000)}) <= MAX_EXACT_SIZE + 16


def test_nothing_is_lost_between_threads() -> None:
    sums = Predictions()
    runs = 3 * MAX_WAITING + 1

    def count() -> None:
        for _ in range(runs):
            sums.count_run([Timed(0.0, 0.0)], 1, 1, (0.0, 1.0, 1.0))
            sums.count_failure(0.0, "Internal")
            sums.sums()

    with running_threads(4, count):
        pass
    found = sums.sums()
    assert (found.answered.count, found.failed, found.images) == (4 * runs,) * 3
    assert found.by_size[1].count == 4 * runs
