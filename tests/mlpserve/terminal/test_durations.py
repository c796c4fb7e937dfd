"""Durations are read with their units, shown with three digits, and refused with a remedy."""

import math

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mlpserve.terminal.durations import duration_option, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5ms", 0.005),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("250μs", 0.00025),
        ("100ns", 1e-7),
        ("1s", 1.0),
        ("1.5 s", 1.5),
        (".5s", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", r"'5' has no unit; give one, such as 5ms"),
        ("", "'' is not a duration; give a number with us, ms, s, m or h, such as 5ms"),
        ("ms", "is not a duration"),
        ("5 parsecs", "is not a duration"),
        ("-5ms", "is not a duration"),
        ("1e3s", "is not a duration"),
        ("nan s", "is not a duration"),
        ("1s1s", "is not a duration"),
        ("0s", "the time is 0.0; give seconds above 0"),
        ("9999999h", "up to .* a year"),
        ("9" * 400 + "s", "up to .* a year"),
    ],
)
def test_what_is_no_duration(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 us"),
        (1.234e-7, "0.123 us"),
        (1e-6, "1 us"),
        (0.0001234, "123 us"),
        (0.0009994, "999 us"),
        (0.0009996, "1 ms"),
        (0.01, "10 ms"),
        (0.9996, "1 s"),
        (1.98765, "1.99 s"),
        (1234.0, "1230 s"),
        (-0.0005, "-500 us"),
        (math.nan, "-"),
    ],
)
def test_shown(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(1e-6, 1e6))
def test_what_is_shown_is_read_within_three_digits(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.0051)


def test_an_option() -> None:
    @click.command()
    @click.option("--p99", type=duration_option(min_seconds=1e-6), default="5ms")
    def command(p99: float) -> None:
        click.echo(p99)

    runner = CliRunner()
    assert runner.invoke(command, []).stdout == "0.005\n"
    assert runner.invoke(command, ["--p99", "250us"]).stdout == "0.00025\n"
    refused = runner.invoke(command, ["--p99", "5"])
    assert refused.exit_code == 2
    assert "Invalid value for '--p99': '5' has no unit; give one, such as 5ms" in refused.stderr
    assert "--p99 DURATION" in runner.invoke(command, ["--help"]).stdout
    assert "give seconds from 1e-06" in runner.invoke(command, ["--p99", "1ns"]).stderr
