"""Draws what a search for the largest rate came to."""

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlpserve.bench.find_rate import Found, Limit, Trial
from mlpserve.bench.findings import failed_calls
from mlpserve.bench.histogram import quantile_seconds
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.tables import format_rate, plain_table


def draw_search(found: Found, p99_seconds: float) -> RenderableType:
    """Return the runs as a table, by rate, and what they say in a sentence or two."""
    return Group(_draw_trials(found), Text(), Text(describe_search(found, p99_seconds), "bold"))


def describe_trial(trial: Trial) -> str:
    """Return in a line what came of a run."""
    p99, lag = (format_duration(seconds) for seconds in _p99s(trial))
    verdict = "holds" if trial.limit is None else f"does not hold: {_REASONS[trial.limit]}"
    return f"{format_rate(trial.rate)} calls/s: p99 {p99}, lag {lag}, {verdict}"


def describe_search(found: Found, p99_seconds: float) -> str:
    """Return which rate holds, and what stopped the next."""
    bound = format_duration(p99_seconds)
    if found.rate is None:
        text = f"No rate holds with a p99 from intended of at most {bound}."
    else:
        rate = format_rate(found.rate)
        text = f"{rate} calls/s hold: all calls OK, p99 from intended at most {bound}."
    if found.failing_rate is not None and found.limit is not None:
        text += f" {format_rate(found.failing_rate)} calls/s don't: {_EXPLANATIONS[found.limit]}."
        if found.rate is None and found.limit is Limit.LATENCY:
            text += " It isn't the load, then: something else makes single calls slow."
    elif found.rate is not None:
        text += " No rate was found that does not."
    if not found.is_confirmed:
        runs = len(found.trials)
        text += f" The search ended early, after {runs} run{'' if runs == 1 else 's'}."
    return text


_REASONS = {Limit.LATENCY: "too slow", Limit.ERRORS: "errors", Limit.TOOL: "the tool is late"}

_EXPLANATIONS = {
    Limit.LATENCY: "the server is too slow",
    Limit.ERRORS: "calls failed",
    Limit.TOOL: "the tool itself is the limit, so the server may hold more; give more --processes "
    "or another machine",
}


def _draw_trials(found: Found) -> Table:
    table = plain_table("calls/s", "p50", "p99", "the tool's lag p99", "failed", "")
    table.columns[0].justify, table.columns[-1].justify = "right", "left"
    for trial in sorted(found.trials, key=lambda trial: trial.rate):
        p50 = quantile_seconds(trial.result.intended, 0.5)
        table.add_row(
            format_rate(trial.rate),
            format_duration(math.nan if p50 is None else p50),
            *(format_duration(seconds) for seconds in _p99s(trial)),
            f"{failed_calls(trial.result):,}",
            "holds" if trial.limit is None else _REASONS[trial.limit],
            style="" if trial.limit is None else "red",
        )
    return table


def _p99s(trial: Trial) -> tuple[float, float]:
    """Return those of the latency from intended and of the lag; nan without calls."""
    p99, lag = (
        quantile_seconds(histogram, 0.99) for histogram in (trial.result.intended, trial.result.lag)
    )
    return math.nan if p99 is None else p99, math.nan if lag is None else lag
