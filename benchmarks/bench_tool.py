"""Prints what a process of `mlpserve bench` manages, and its latencies beside the server's."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from harness.load import (
    pin_caller,
    print_table,
    repository_of,
    repository_option,
    server_command,
    started,
)
from mlpserve.bench.histogram import MICROSECONDS, quantile_seconds
from mlpserve.bench.load.run import load_settings, run
from mlpserve.bench.result import Plan, Result
from mlpserve.bench.stages import measure_stages
from mlpserve.metrics.exposition import Samples, fetch

ADDRESS, METRICS = "127.0.0.1:50087", "127.0.0.1:50088"
RATES = (100.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0)
CALLERS = (1, 32)
CONNECTIONS = (1, 4)
SLOW_SIZES, SLOW_BATCH = (784, 2048, 2048, 10), 256
"""A network and a batch that take the server much longer than the way there and back."""

SHARES = {"p50": 0.5, "p99": 0.99}
_SCRAPE_SECONDS = 10.0


@click.command()
@repository_option
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(min=1))
def main(repository: Path, rounds: int, seconds: float) -> None:
    """Load a server on the first core from one process on the second."""
    pin_caller()
    plan = Plan(ADDRESS, seconds=seconds)
    waiting = dataclasses.replace(plan, concurrency=1)
    slow = dataclasses.replace(waiting, batch=((SLOW_BATCH, 1.0),))
    with started(command(repository), ADDRESS):
        tool = list(tool_rows(plan, rounds))
        quick = list(agreement_rows("shipped, 1 image", waiting, rounds))
    with repository_of(*SLOW_SIZES) as models, started(command(models), ADDRESS):
        name = f"{'-'.join(map(str, SLOW_SIZES))}, {SLOW_BATCH} images"
        slower = list(agreement_rows(name, slow, rounds))
    columns = ("load", "connections", "calls/s", "CPU us a call", "of a core")
    print_table((*columns, "lag p50 us", "p99 us"), tool)
    click.echo()
    print_table(("network, batch", "", "here us", "server us", "ratio"), quick + slower, names=2)


def command(repository: Path) -> list[str]:
    """Return the command line of a server with metrics."""
    return server_command(ADDRESS, "--repository", str(repository), "--http-address", METRICS)


def tool_rows(plan: Plan, rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield what a process costs and how late it is, at rates and with callers that wait."""
    plans = [
        dataclasses.replace(plan, rate=rate, connections=connections)
        for rate in RATES
        for connections in CONNECTIONS
    ]
    plans += [dataclasses.replace(plan, concurrency=callers) for callers in CALLERS]
    results = [
        load(one)[0] for one in track(plans * rounds, "measuring", console=Console(stderr=True))
    ]
    for index, one in enumerate(plans):
        same = results[index :: len(plans)]
        yield (
            f"{one.rate:,.0f} calls/s" if one.rate else f"{one.concurrency} callers",
            str(one.connections),
            median(same, lambda result: result.answered / result.seconds),
            median(same, lambda result: 1e6 * result.cpu_seconds / result.sent),
            f"{statistics.median(result.busy for result in same):.0%}",
            *(median(same, late_at(share)) if one.rate else "" for share in (0.5, 0.99)),
        )


def agreement_rows(name: str, plan: Plan, rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield latencies of a caller that waits beside the server's own of the same calls."""
    found: dict[str, list[tuple[float, float]]] = {"mean": [], "p50": [], "p99": []}
    for _ in range(rounds):
        result, before, after = load(plan)
        server = measure_stages(before, after, plan.protocol)[0]
        if server.count != result.sent:
            counted = f"the server counted {server.count:,} of {result.sent:,} calls"
            raise click.ClickException(counted)
        mean = float(result.service.get_mean_value()) / MICROSECONDS
        found["mean"].append((mean, server.mean_seconds))
        for key, there in (("p50", server.p50_seconds), ("p99", server.p99_seconds)):
            here = quantile_seconds(result.service, SHARES[key])
            found[key].append((here or math.nan, there or math.nan))
    for key, pairs in found.items():
        here, there = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        yield name, key, f"{1e6 * here:,.0f}", f"{1e6 * there:,.0f}", f"{ratio:.2f}"


def load(plan: Plan) -> tuple[Result, Samples, Samples]:
    """Run a plan; returns the server's metrics before and after, too."""
    before: list[Samples] = []
    settings = load_settings(plan.address, plan.timeout_seconds)
    result = run(plan, settings, on_begin=lambda: before.append(fetch(METRICS, _SCRAPE_SECONDS)))
    if result.answered < result.sent:
        raise click.ClickException(f"not all calls were answered: {dict(result.codes)}")
    return result, before[0], fetch(METRICS, _SCRAPE_SECONDS)


def median(results: Sequence[Result], figure: Callable[[Result], float]) -> str:
    """Return the median of a figure of each result."""
    return f"{statistics.median(map(figure, results)):,.0f}"


def late_at(share: float) -> Callable[[Result], float]:
    """Return what gives a quantile of the tool's own lag in microseconds."""
    return lambda result: 1e6 * (quantile_seconds(result.lag, share) or 0.0)


if __name__ == "__main__":
    main()
