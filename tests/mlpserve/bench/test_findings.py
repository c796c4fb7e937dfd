"""Each thing that a reader must know is said, and nothing else."""

import dataclasses

import numpy as np
import pytest

from mlpserve.bench.findings import describe_findings, is_tool_limit
from mlpserve.bench.result import Result, Stall
from tests.mlpserve.bench.results import PLAN, lognormal, make_result

GOOD = make_result(lognormal(10, 1000))


def findings(**changes: object) -> list[str]:
    result: Result = dataclasses.replace(GOOD, **changes)  # type: ignore[arg-type]
    return list(describe_findings(result))


def test_of_a_good_run_there_is_nothing_to_say() -> None:
    assert findings() == []


@pytest.mark.parametrize(("lag_seconds", "is_limit"), [(0.00099, False), (0.0011, True)])
def test_the_tool_is_named_as_the_limit_above_a_millisecond(
    lag_seconds: float, is_limit: bool
) -> None:
    result = make_result(lognormal(), lag_seconds=lag_seconds)
    assert is_tool_limit(result) == is_limit
    assert any(line.startswith("The tool was the limit") for line in findings(lag=result.lag)) == (
        is_limit
    )


def test_a_busy_tool_asks_for_processes_and_an_idle_one_for_quiet() -> None:
    late = make_result(lognormal(), lag_seconds=0.02).lag
    assert findings(lag=late, busy=0.97) == [
        "The tool was the limit: it sent 1% of the calls 20 ms late or more, which is part of the "
        "latency from intended. Its process used 97% of a core: give more --processes."
    ]
    two = dataclasses.replace(PLAN, processes=2)
    (line,) = findings(lag=late, busy=0.3, plan=two)
    assert line.endswith(
        "The busiest of its processes used 30% of a core on the whole: other programs kept it "
        "waiting, or answers came all at once."
    )


def test_stalls_are_named_in_their_order_the_longest_ones() -> None:
    short = tuple(Stall(second, second + 0.2 + second / 100) for second in range(10))
    assert findings(stalls=(Stall(3.1, 5.1),)) == [
        "No answer arrived for 2.0 s, from second 3.1 to 5.1."
    ]
    assert [line.split("second ")[1] for line in findings(stalls=short)] == [
        "5.0 to 5.2.",
        "6.0 to 6.3.",
        "7.0 to 7.3.",
        "8.0 to 8.3.",
        "9.0 to 9.3.",
    ]


def names_a_stall(result: Result) -> bool:
    return any(line.startswith("No answer arrived") for line in describe_findings(result))


def test_a_pause_that_is_shorter_than_ten_answers_take_is_no_stall() -> None:
    assert findings(stalls=(Stall(1.0, 1.09),)) == []
    slow = make_result(lognormal(calls=5, median_seconds=0.1))
    assert not names_a_stall(dataclasses.replace(slow, stalls=(Stall(1.0, 1.5),)))
    assert names_a_stall(dataclasses.replace(slow, stalls=(Stall(1.0, 2.9),)))


def test_a_pause_among_many_answers_is_one_however_long_these_take() -> None:
    """A server that is late by a second and answers each millisecond should not be silent."""
    slow = make_result(lognormal(calls=1000, median_seconds=1.0))
    assert names_a_stall(dataclasses.replace(slow, stalls=(Stall(1.0, 1.2),)))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"is_interrupted": True}, "The run was interrupted after 10 s."),
        (
            {"lost_processes": ("by SIGKILL",)},
            "A process of the tool ended early, by SIGKILL: calls are missing.",
        ),
        (
            {"unsent": 1},
            "1 call could not be sent, since 10,000 others waited for answers: the server does "
            "not keep up. These calls are in no latency.",
        ),
        (
            {"sent": 10_003},
            "Latencies are of calls answered OK: 3 others are not in them.",
        ),
        ({"wrong_labels": 0}, None),
        ({"wrong_labels": 1}, "1 image got another label than expected."),
        ({"answered": 0, "sent": 9}, "No call was answered OK."),
        (
            {"answered": 9999, "sent": 9999},
            "p99.9 rests on the 9 slowest calls, too few to trust: run longer.",
        ),
        (
            {"answered": 99, "sent": 99},
            "p99.9 rests on the slowest call, too few to trust: run longer.",
        ),
        (
            {"plan": dataclasses.replace(PLAN, rate=None, concurrency=8)},
            "In a closed loop callers wait while the server does, so that its pauses meet few "
            "calls. For what users see at a rate, give --rate.",
        ),
    ],
)
def test_sentences(changes: dict[str, object], line: str | None) -> None:
    assert findings(**changes) == ([line] if line else [])


def test_without_any_call_the_tool_is_no_limit() -> None:
    assert not is_tool_limit(make_result(np.empty((10, 0))))
