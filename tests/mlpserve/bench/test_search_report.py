"""A search's runs are a table, and a sentence says what they mean."""

import io

import numpy as np
import pytest
from rich.console import Console

from mlpserve.bench.find_rate import Found, Limit, Trial
from mlpserve.bench.search_report import describe_search, describe_trial, draw_search
from tests.mlpserve.bench.results import make_result

FAST = make_result(np.full((1, 100), 0.001))
GOOD = Trial(9050.0, FAST, None)
SLOW = Trial(12800.0, make_result(np.full((1, 100), 1.0), errors=3), Limit.LATENCY)


def test_the_runs_by_rate() -> None:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(draw_search(Found(9050.0, True, 12800.0, Limit.LATENCY, (SLOW, GOOD)), 0.005))
    lines = [line.split() for line in capture.get().splitlines()]
    assert lines[1] == ["9,050", "1", "ms", "1", "ms", "50", "us", "0", "holds"]
    assert lines[2] == ["12,800", "1", "s", "1", "s", "50", "us", "3", "too", "slow"]
    assert max(map(len, capture.get().splitlines())) <= 80


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Found(9050.0, True, 9460.0, Limit.LATENCY, (GOOD,)),
            "9,050 calls/s hold: all calls OK, p99 from intended at most 5 ms. 9,460 calls/s "
            "don't: the server is too slow.",
        ),
        (
            Found(9050.0, True, 9460.0, Limit.TOOL, (GOOD,)),
            "9,050 calls/s hold: all calls OK, p99 from intended at most 5 ms. 9,460 calls/s "
            "don't: the tool itself is the limit, so the server may hold more; give more "
            "--processes or another machine.",
        ),
        (
            Found(None, True, 1.5, Limit.ERRORS, (GOOD,)),
            "No rate holds with a p99 from intended of at most 5 ms. 1.5 calls/s don't: calls "
            "failed.",
        ),
        (
            Found(None, True, 10.0, Limit.LATENCY, (GOOD,)),
            "No rate holds with a p99 from intended of at most 5 ms. 10 calls/s don't: the server "
            "is too slow. It isn't the load, then: something else makes single calls slow.",
        ),
        (
            Found(200.0, False, None, None, (GOOD,)),
            "200 calls/s hold: all calls OK, p99 from intended at most 5 ms. No rate was found "
            "that does not. The search ended early, after 1 run.",
        ),
        (
            Found(None, False, None, None, ()),
            "No rate holds with a p99 from intended of at most 5 ms. The search ended early, "
            "after 0 runs.",
        ),
    ],
)
def test_what_they_mean(found: Found, text: str) -> None:
    assert describe_search(found, 0.005) == text


def test_each_run_in_a_line() -> None:
    assert describe_trial(GOOD) == "9,050 calls/s: p99 1 ms, lag 50 us, holds"
    assert describe_trial(SLOW) == ("12,800 calls/s: p99 1 s, lag 50 us, does not hold: too slow")
