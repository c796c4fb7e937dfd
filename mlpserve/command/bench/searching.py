"""Searches the largest rate that holds, run by run."""

import click
from rich.console import Console
from rich.text import Text

from mlpserve.bench.find_rate import MIN_RATE, Trial, find_rate
from mlpserve.bench.result import Result
from mlpserve.bench.search_report import describe_trial, draw_search
from mlpserve.command.bench.measuring import Measurement, Measurer
from mlpserve.terminal.durations import format_duration

MIN_SECONDS_PER_P99 = 20
"""How many times as long as the wanted p99 a run must be at least. A queue that grows by 5% of the
calls, the search's precision, makes the last of them wait for 5% of the run.
"""

MIN_CALLS = 100
"""Calls of a run below which it has no p99 to speak of."""


def search(
    measurer: Measurer, start_rate: float, p99_seconds: float, console: Console
) -> Measurement | None:
    """Print each run and what the search came to; return the last run at the rate that held, None
    if none did. Ends the command when the runs would be too short.
    """
    least = MIN_SECONDS_PER_P99 * p99_seconds
    if measurer.plan.seconds < least:
        raise click.UsageError(
            f"--seconds {measurer.plan.seconds:g} is too short for a p99 of "
            f"{format_duration(p99_seconds)}: a server that can't keep up would seem to; give "
            f"--seconds {least:g} or more"
        )
    measured: dict[float, list[Measurement]] = {}

    def probe(rate: float) -> Result:
        measurement = measurer.measure(rate)
        measured.setdefault(rate, []).append(measurement)
        return measurement.result

    def tell(trial: Trial) -> None:
        console.print(Text(describe_trial(trial)))

    min_rate = max(MIN_RATE, MIN_CALLS / measurer.plan.seconds)
    found = find_rate(probe, p99_seconds, start_rate=start_rate, min_rate=min_rate, tell=tell)
    console.print(draw_search(found, p99_seconds))
    held = [trial.result for trial in found.trials if trial.rate == found.rate and not trial.limit]
    return next((one for one in measured.get(found.rate or 0, ()) if one.result is held[-1]), None)
