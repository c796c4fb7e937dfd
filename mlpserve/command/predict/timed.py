"""Says where the time of calls went in the server, for --timing."""

import contextlib
from collections.abc import Generator

import click

from mlpserve.command.predict.asking import Outcomes
from mlpserve.command.predict.rows import Answer
from mlpserve.terminal.durations import format_duration
from mlpserve.timing import Timing


def tell_timing(all_outcomes: Generator[Outcomes]) -> Generator[Outcomes]:
    """Yield all outcomes, and say on standard error at last what the server told of its time."""
    n_calls, sums = 0, Timing(0.0)
    with contextlib.closing(all_outcomes):
        for outcomes in all_outcomes:
            for outcome in outcomes:
                timing = outcome.prediction.timing if isinstance(outcome, Answer) else None
                if timing is not None:
                    n_calls, sums = n_calls + 1, sums + timing
            yield outcomes
    click.echo(describe(n_calls, sums), err=True)


def describe(n_calls: int, sums: Timing) -> str:
    """Return where the time of so many calls went, which are those that the server told of."""
    if not n_calls:
        return "Timing: the server reported none"
    stages = {
        "decode": sums.decode_seconds,
        "queue": sums.queue_seconds,
        "run": sums.run_seconds,
        "encode": sums.encode_seconds,
    }
    words = ", ".join(f"{name} {format_duration(seconds)}" for name, seconds in stages.items())
    calls = f"{n_calls:,} call{'' if n_calls == 1 else 's'}"
    return f"Timing: {calls} took the server {format_duration(sums.total_seconds)}; {words}"
