"""Looks count what was added between them, through restarts and silence."""

import math

import numpy as np
import pytest

from mlpserve.metrics.exposition import Labels, Samples, parse
from mlpserve.metrics.looks import RecentWatch, Watch, quantile, total, totals


def page(**workers: tuple[float, float]) -> Samples:
    """A page on which each worker has a start time and has counted so many calls."""
    lines = [
        f'process_start_time_seconds{{worker="{name[1:]}"}} {start}\n'
        f'calls_total{{worker="{name[1:]}",kind="a"}} {calls}\n'
        for name, (start, calls) in workers.items()
    ]
    return parse("".join(lines))


def test_what_is_added_is_counted() -> None:
    watch = Watch()
    first = watch.look(page(w0=(1, 100), w1=(1, 50)), 10)
    assert total(first.increases, "calls_total") == 0
    second = watch.look(page(w0=(1, 130), w1=(1, 50)), 12)
    assert second.seconds == 2
    assert second.rates("calls_total", "worker") == {"0": 15, "1": 0}
    assert second.rate("calls_total", kind="a") == 15
    assert second.rate("calls_total", kind="b") == 0
    third = watch.look(page(w0=(1, 131), w1=(1, 52)), 13)
    assert total(third.increases, "calls_total") == 3
    assert total(third.totals, "calls_total") == 183


@pytest.mark.parametrize("calls", [7, 100, 170])
def test_a_restarted_worker_begins_at_zero_however_much_it_has_counted(calls: int) -> None:
    watch = Watch()
    watch.look(page(w0=(1, 100)), 1)
    assert total(watch.look(page(w0=(2, calls)), 2).increases, "calls_total") == calls


def test_a_silent_worker_is_caught_up_with() -> None:
    watch = Watch()
    watch.look(page(w0=(1, 10), w1=(1, 10)), 1)
    assert total(watch.look(page(w0=(1, 11)), 2).increases, "calls_total") == 1
    assert total(watch.look(page(w0=(1, 12), w1=(1, 15)), 3).increases, "calls_total") == 6


def test_what_a_worker_counted_before_it_was_ever_seen_is_not_counted() -> None:
    watch = Watch()
    watch.look(page(w0=(1, 10)), 1)
    assert total(watch.look(page(w0=(1, 10), w1=(1, 900)), 2).increases, "calls_total") == 0
    assert total(watch.look(page(w0=(1, 10), w1=(1, 901)), 3).increases, "calls_total") == 1


def test_a_new_series_of_a_known_worker_counts_whole() -> None:
    watch = Watch()
    watch.look(page(w0=(1, 10)), 1)
    more: dict[str, dict[Labels, float]] = {
        name: dict(series) for name, series in page(w0=(1, 10)).items()
    }
    more["calls_total"][frozenset({("worker", "0"), ("kind", "new")})] = 4
    assert totals(watch.look(more, 2).increases, "calls_total", "kind") == {"a": 0, "new": 4}


def test_totals_are_since_the_servers_start_whatever_becomes_of_its_workers() -> None:
    watch = Watch()
    pages = [
        (page(wparent=(1, 0), w0=(1, 10), w1=(1, 20)), 30),
        (page(wparent=(1, 0), w0=(2, 15), w1=(1, 21)), 46),
        (page(wparent=(1, 0), w0=(2, 16)), 47),
        (page(wparent=(1, 0), w0=(2, 16), w1=(3, 1), w2=(3, 4)), 52),
        (page(wparent=(4, 0), w0=(4, 3), w1=(4, 900), w2=(4, 1)), 904),
    ]
    for time, (text, expected) in enumerate(pages):
        assert total(watch.look(text, time).totals, "calls_total") == expected


def test_recent_looks_cover_whole_steps() -> None:
    watch = RecentWatch(3)
    times = {0.0: 100.0, 1.0: 101.0, 2.0: 103.0, 3.1: 107.0, 4.0: 107.0, 60.0: 150.0, 61.0: 151.0}
    looks = [watch.look(page(w0=(1, calls)), time) for time, calls in times.items()]
    found = [(look.seconds, total(look.increases, "calls_total")) for look in looks]
    assert math.isnan(found[0][0])
    assert found[0][1] == 0
    # That which ended at 1 is over by 4; that which began at 4 is the newest all along.
    assert found[1:] == [(1, 1), (2, 3), (pytest.approx(3.1), 7), (3, 6), (56, 43), (57, 44)]


def test_recent_histograms_have_all_their_buckets() -> None:
    """Also those into which nothing has fallen: they say how far the next one reaches down."""
    watch = RecentWatch(10)
    text = 'process_start_time_seconds{{worker="0"}} 1\nt_bucket{{worker="0",le="1"}} 0\n'
    text += 't_bucket{{worker="0",le="2"}} {0}\nt_bucket{{worker="0",le="+Inf"}} {0}\n'
    looks = [watch.look(parse(text.format(count)), time) for time, count in enumerate((0, 4, 4))]
    assert [look.quantile(0.5, "t") for look in looks[1:]] == [1.5, 1.5]


def test_quantiles_are_close_to_exact_ones() -> None:
    random = np.random.default_rng(0)
    values = random.lognormal(-7, 1, 20_000)
    bounds = [1e-5 * 1.2**step for step in range(80)]
    buckets = {bound: float(np.sum(values <= bound)) for bound in [*bounds, math.inf]}
    for share in (0.5, 0.9, 0.99, 0.999):
        assert quantile(buckets, share) == pytest.approx(np.quantile(values, share), rel=0.1)


def test_quantiles_at_the_ends() -> None:
    assert quantile({1: 0, 2: 10, 4: 10, math.inf: 10}, 0.5) == 1.5
    assert quantile({1: 0, 2: 10, 4: 10, math.inf: 10}, 1.0) == 2
    assert quantile({1: 0, 2: 5, math.inf: 10}, 0.9) == 2
    assert math.isnan(quantile({1: 0, math.inf: 0}, 0.5))
    assert math.isnan(quantile({}, 0.5))


def test_means_and_quantiles_are_of_the_time_since_the_look_before() -> None:
    watch = Watch()
    worker = 'process_start_time_seconds{worker="0"} 1\n'
    old = 't_sum{worker="0"} 100\nt_count{worker="0"} 100\n'
    bucket = 't_bucket{worker="0",le='
    watch.look(parse(f'{worker}{old}{bucket}"1"}} 100\n{bucket}"+Inf"}} 100\n'), 1)
    new = 't_sum{worker="0"} 120\nt_count{worker="0"} 104\n'
    look = watch.look(parse(f'{worker}{new}{bucket}"1"}} 102\n{bucket}"+Inf"}} 104\n'), 2)
    assert look.mean("t") == 5
    assert look.quantile(0.5, "t", worker="0") == 1
    assert look.quantile(0.25, "t") == 0.5
    assert math.isnan(look.mean("other"))
    assert math.isnan(look.quantile(0.5, "other"))
