"""Searches the largest rate that holds, run by run."""

from rich.console import Console
from rich.text import Text

from mlpserve.bench.find_rate import Trial, find_rate
from mlpserve.bench.result import Result
from mlpserve.bench.search_report import describe_trial, draw_search
from mlpserve.command.bench.measuring import Measurement, Measurer


def search(
    measurer: Measurer, start_rate: float, p99_seconds: float, console: Console
) -> Measurement | None:
    """Print each run and what the search came to; return the last run at the rate that held, None
    if none did.
    """
    measured: dict[float, list[Measurement]] = {}

    def probe(rate: float) -> Result:
        measurement = measurer.measure(rate)
        measured.setdefault(rate, []).append(measurement)
        return measurement.result

    def tell(trial: Trial) -> None:
        console.print(Text(describe_trial(trial)))

    found = find_rate(probe, p99_seconds, start_rate=start_rate, tell=tell)
    console.print(draw_search(found, p99_seconds))
    held = [trial.result for trial in found.trials if trial.rate == found.rate and not trial.limit]
    return next((one for one in measured.get(found.rate or 0, ()) if one.result is held[-1]), None)
