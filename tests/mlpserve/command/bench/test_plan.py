"""Options become plans, or say what is wrong with them."""

import os

import click
import pytest

from mlpserve.command.bench.plan import (
    CALLERS_PER_PROCESS,
    MAX_BATCH,
    RATE_PER_PROCESS,
    choose_processes,
    count_cores,
    metrics_address,
    parse_batch,
)

CONTEXT = click.Context(click.Command("bench"))
PARAMETER = click.Option(["--batch"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", {1: 1.0}),
        (" 8 ", {8: 1.0}),
        ("1-4", {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25}),
        ("1:0.9,64:0.1", {1: 0.9, 64: 0.1}),
        ("64:1, 1:9.", {1: 9.0, 64: 1.0}),
        ("1-2:.5,2", {1: 0.25, 2: 1.25}),
    ],
)
def test_batches(text: str, expected: dict[int, float]) -> None:
    assert parse_batch(CONTEXT, PARAMETER, text) == tuple(expected.items())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is not a number of images"),
        ("x", "'x' is not a number of images"),
        ("-1", "'-1' is not a number of images"),
        ("1.5", "'1.5' is not a number of images"),
        ("1:nan", "'1:nan' is not a number of images"),
        ("1:2:3", "'1:2:3' is not a number of images"),
        ("1,,2", "'' is not a number of images"),
        ("0", f"0 images; give from 1 to {MAX_BATCH}"),
        ("9" * 5000, "99999999999999999999 images"),
        ("5-2", "'5-2' is empty"),
        ("1:0", "'1:0' is empty"),
        ("1:" + "9" * 400, "is empty"),
        ("1-2000", "it has 2000 sizes; give up to 1024"),
    ],
)
def test_what_is_no_batch(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter) as raised:
        parse_batch(CONTEXT, PARAMETER, text)
    assert words in raised.value.message


def test_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_cores() >= 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 5}, raising=False)
    assert choose_processes(1.0, None) == choose_processes(RATE_PER_PROCESS, None) == 1
    assert choose_processes(1.1 * RATE_PER_PROCESS, None) == 2
    assert choose_processes(1e6, None) == 3
    assert choose_processes(None, 1) == choose_processes(None, CALLERS_PER_PROCESS) == 1
    assert choose_processes(None, CALLERS_PER_PROCESS + 1) == 2
    assert choose_processes(None, 100_000) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert choose_processes(1e6, None) == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost:50051", "localhost:8080"),
        ("[::1]:50051", "[::1]:8080"),
        ("dns:///classifier:50051", "classifier:8080"),
        ("unix:/run/mlpserve.sock", None),
        ("unix-abstract:mlpserve", None),
    ],
)
def test_where_metrics_are(address: str, expected: str | None) -> None:
    assert metrics_address(address) == expected
