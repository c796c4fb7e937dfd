"""Looks count what was added between them, through restarts and silence."""

import math

import numpy as np
import pytest

from mlpserve.metrics.exposition import Labels, Samples, parse
from mlpserve.metrics.looks import Watch, quantile, total, totals


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
    assert total(third.counted, "calls_total") == 33


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
