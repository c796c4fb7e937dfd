"""The report has both latencies side by side, the tool's own lag, and the server's part."""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mlpserve.bench.report import describe_plan, draw_result
from mlpserve.bench.result import Result, Stage
from tests.mlpserve.bench.results import PLAN, lognormal, make_result

STAGES = (
    Stage("handling", 10_000, 300e-6, 290e-6, 600e-6, 50e-6),
    Stage("decode", 10_000, 11e-6, 25e-6, 60e-6, 50e-6),
)


def report(result: Result) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(draw_result(result))
    return capture.get()


def row(text: str, name: str) -> list[str]:
    """Return the cells of the first line that begins so."""
    line = next(line for line in text.splitlines() if line.strip().startswith(name))
    return [cell.strip() for cell in line.strip().removeprefix(name).split("  ") if cell.strip()]


def stopped() -> Result:
    """A run at 1,000 calls/s in which the server stood still from second 3 to 5."""
    service = np.full((10, 1000), 500e-6)
    intended = service.copy()
    intended[3:5] = 2 - np.arange(2000).reshape(2, 1000) / 1000
    return make_result(intended, service)


def test_quantiles_side_by_side() -> None:
    text = report(stopped())
    assert row(text, "from intended ") == ["10,000", "500 us", "1 s", "1.9 s", "1.99 s", "2 s"]
    assert row(text, "from sent ") == ["10,000", *["500 us"] * 5]
    assert row(text, "the tool's own lag ") == ["10,000", *["50 us"] * 5]
    assert row(text, "calls") == ["10,000 sent, 10,000 answered OK"]
    assert row(text, "rate") == ["1,000 calls/s, 1,000 images/s"]


def test_a_closed_loop_has_one_latency() -> None:
    text = report(
        make_result(lognormal(), plan=dataclasses.replace(PLAN, rate=None, concurrency=8))
    )
    assert "closed loop: 8 callers that wait" in text
    assert "from intended" not in text
    assert "lag" not in text


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "predict at localhost:50051: 1 image a call, as bytes, of random levels"),
        ({"batch": ((64, 2.0),)}, ": 64 images a call"),
        ({"batch": ((1, 9.0), (64, 1.0))}, ": 1 (90%), 64 (10%) images a call"),
        (
            {"batch": tuple((size, 0.5) for size in range(1, 65))},
            ": 1 to 64 images (32.5 on average) a call",
        ),
        ({}, "open loop: 1,000 calls/s, constant arrivals, for 10 s after 1 s of warm-up"),
        ({"rate": None, "concurrency": 1}, "closed loop: 1 caller that waits, for 10 s"),
        ({"rate": None, "concurrency": 2000}, "closed loop: 2,000 callers that wait, for 10 s"),
        (
            {"processes": 2, "connections": 4, "model": "digits", "version": 3},
            "processes 2, connections 4, model digits, version 3",
        ),
        ({"label": "stable"}, "model by default, label stable"),
    ],
)
def test_the_plan(change: dict[str, Any], line: str) -> None:
    assert line in "\n".join(describe_plan(dataclasses.replace(PLAN, **change)))


def test_statuses_and_labels() -> None:
    text = report(make_result(lognormal(), errors=2, wrong_labels=3))
    assert "10,002 sent, 10,000 answered OK" in text
    assert "OK 10000   UNAVAILABLE 2" in text
    assert "UNAVAILABLE: connection refused" in text
    assert row(text, "labels") == ["9,997 of 10,000 as expected"]
    assert "! 3 images got another label than expected." in text


def test_the_server_s_part_and_what_is_left_add_up() -> None:
    service = np.full((10, 1000), 500e-6)
    text = report(make_result(service, stages=STAGES))
    assert row(text, "client, from sent") == ["10,000", "500 us", "500 us", "500 us"]
    assert row(text, "network and client") == ["10,000", "200 us", "210 us", "-100 us"]
    assert row(text, "server") == ["10,000", "300 us", "290 us", "600 us"]
    # 25 us were read from a bucket that ends at 50 us.
    assert row(text, "decode") == ["10,000", "11 us", "< 50 us", "60 us"]
    assert "others called" not in text


def test_other_callers_are_told() -> None:
    text = report(make_result(lognormal(), stages=(dataclasses.replace(STAGES[0], count=10_007),)))
    assert "The server counted 10,007 such calls, the tool sent 10,000: others called" in text


def test_without_the_server_s_metrics_there_is_no_such_table() -> None:
    assert "where the time went" not in report(make_result(lognormal()))


@pytest.mark.parametrize(
    "result",
    [
        stopped(),
        make_result(np.empty((10, 0)), errors=5),
        make_result(
            lognormal(10, 1000),
            errors=123_456,
            stages=STAGES,
            lag_seconds=3.0,
            wrong_labels=9,
            unsent=1_000_000,
            sent=123_457_000,
            answered=100_000_000,
            codes={"OK": 100_000_000, "RESOURCE_EXHAUSTED": 100_000, "DEADLINE_EXCEEDED": 23_456},
            messages={"RESOURCE_EXHAUSTED": "too many images are queued " * 9},
            plan=dataclasses.replace(
                PLAN,
                rate=123_456.5,
                batch=tuple((size, 1.0) for size in range(1, 9)),
                model="m" * 60,
            ),
        ),
        make_result(np.geomspace(1e-6, 3600, 10_000).reshape(10, 1000)),
    ],
)
def test_it_fits_80_columns(result: Result) -> None:
    lines = report(result).splitlines()
    assert max(map(len, lines)) <= 80
    # Only a server's message may be cut.
    assert [line for line in lines if "…" in line and "too many images" not in line] == []
