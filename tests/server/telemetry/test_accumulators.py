"""Counts that many threads add to while others read them: none is lost, none counted twice; and
exemplars, of which few are kept.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext

from server.telemetry.accumulators import MAX_WAITING, Exemplars, HotHistogram
from server.telemetry.calls import Calls

THREADS, TIMES = 4, 5 * MAX_WAITING + 3


def run_together(add: Callable[[], object], read: Callable[[], int]) -> list[int]:
    """Call `add` many times in each of some threads, and return what `read` found meanwhile."""
    over, found = threading.Event(), [0]

    def look() -> None:
        while not over.is_set():
            found.append(read())

    def work() -> None:
        for _ in range(TIMES):
            add()

    looking = threading.Thread(target=look)
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in (looking, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    looking.join()
    return [*found, read()]


def test_values_are_counted_once() -> None:
    histogram = HotHistogram([1.0, 2.0])
    found = run_together(partial(histogram.observe, 1.5, 2), lambda: histogram.read().counts[-1])
    assert found == sorted(found)
    buckets = histogram.read()
    assert list(buckets.bounds) == ["1.0", "2.0", "+Inf"]
    assert buckets.counts == [0, 2 * THREADS * TIMES, 2 * THREADS * TIMES]
    assert buckets.total == 3.0 * THREADS * TIMES
    histogram.observe_all([0.5, 2.5])
    assert list(histogram.bins().values()) == [1, 2 * THREADS * TIMES, 1]


def test_calls_are_counted_once() -> None:
    calls = Calls([1e9], ["OK"])
    found = run_together(lambda: calls.end(calls.start(), "OK", 1, 1), lambda: calls.read().sent)
    assert found == sorted(found)
    counted, all_of_them = calls.read(), THREADS * TIMES
    assert (counted.started, counted.received, counted.sent) == (all_of_them,) * 3
    assert counted.codes == {"OK": all_of_them}
    assert counted.counts == [all_of_them] * 2


def test_a_bucket_keeps_its_newest_exemplar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1700000000.1234)
    exemplars = Exemplars([1.0, 2.0])
    assert exemplars.read() == ["", "", ""]
    for number, value in enumerate((1.5, 0.5, 1.0, 2.0, 3.0, 2.5), 1):
        exemplars.note(NonRecordingSpan(SpanContext(number, number, False)), value)
    texts = exemplars.read()
    assert [text.partition('",')[0][-2:] for text in texts] == ["03", "04", "06"]
    ends = [text.split()[2:] for text in texts]
    assert ends == [[value, "1700000000.123"] for value in ("1.0", "2.0", "2.5")]
    # Prometheus takes no longer ones.
    labels = re.findall(r'(\w+)="(\w+)"', texts[0])
    assert 0 < sum(map(len, itertools.chain(*labels))) <= 128
