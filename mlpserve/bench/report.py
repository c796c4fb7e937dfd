"""Draws a result as tables for a terminal of 80 columns."""

import math
from collections.abc import Iterator

from hdrh.histogram import HdrHistogram
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlpserve.bench.bars import draw_bars
from mlpserve.bench.findings import MAX_LAG_SECONDS, describe_findings
from mlpserve.bench.histogram import MICROSECONDS, quantile_seconds
from mlpserve.bench.result import Plan, Result, Stage
from mlpserve.bench.stages import HANDLING
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.tables import format_counts, format_rate, plain_table

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}

MAX_SIZES = 4
"""Sizes of calls that are listed one by one."""


def draw_result(result: Result) -> RenderableType:
    """Return all that is worth reading of a result."""
    parts: list[RenderableType] = [_draw_plan(result.plan), _draw_counts(result)]
    if result.answered:
        parts += [_draw_latencies(result), _draw_histogram(result)]
    if result.stages:
        parts.append(_draw_stages(result))
    findings = list(describe_findings(result))
    if findings:
        parts.append(Group(*(Text(f"! {finding}", "yellow") for finding in findings)))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def describe_plan(plan: Plan) -> Iterator[str]:
    """Yield a line each for what was sent where, how often, and by whom."""
    sizes = _describe_sizes(plan.batch)
    yield f"{plan.protocol} at {plan.address}: {sizes} a call, as {plan.form}, of {plan.images}"
    if plan.concurrency is None:
        load = f"open loop: {format_rate(plan.rate or 0)} calls/s, {plan.arrivals} arrivals"
    elif plan.concurrency == 1:
        load = "closed loop: 1 caller that waits"
    else:
        load = f"closed loop: {plan.concurrency:,} callers that wait"
    warmup = format_duration(plan.warmup_seconds)
    yield f"{load}, for {format_duration(plan.seconds)} after {warmup} of warm-up"
    version = f", version {plan.version}" if plan.version else ""
    label = f", label {plan.label}" if plan.label else ""
    yield (
        f"processes {plan.processes}, connections {plan.connections}, "
        f"model {plan.model or 'by default'}{version}{label}"
    )


def _describe_sizes(batch: tuple[tuple[int, float], ...]) -> str:
    if len(batch) == 1:
        ((images, _),) = batch
        return f"{images:,} image{'' if images == 1 else 's'}"
    total = sum(weight for _, weight in batch)
    if len(batch) <= MAX_SIZES:
        sizes = (f"{images:,} ({weight / total:.0%})" for images, weight in batch)
        return f"{', '.join(sizes)} images"
    mean = sum(images * weight for images, weight in batch) / total
    return f"{batch[0][0]:,} to {batch[-1][0]:,} images ({format_rate(mean)} on average)"


def _draw_plan(plan: Plan) -> Text:
    first, *others = describe_plan(plan)
    return Text.assemble((first, "bold"), *(f"\n{line}" for line in others))


def _draw_counts(result: Result) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("calls", f"{result.sent:,} sent, {result.answered:,} answered OK")
    table.add_row("statuses", format_counts(result.codes))
    for code, message in result.messages.items():
        table.add_row("", Text(f"{code}: {message}", "red", overflow="ellipsis", no_wrap=True))
    seconds = result.load_seconds or math.inf
    table.add_row(
        "rate",
        f"{format_rate(result.answered / seconds)} calls/s, "
        f"{format_rate(result.images / seconds)} images/s",
    )
    if result.sent and result.cpu_seconds:
        cost = format_duration(result.cpu_seconds / result.sent)
        processes = result.plan.processes
        table.add_row(
            "the tool",
            f"{cost} of CPU a call; "
            + ("its process" if processes == 1 else f"the busiest of {processes} processes")
            + f" used {result.busy:.0%} of a core",
        )
    if result.wrong_labels is not None:
        wrong = result.wrong_labels
        table.add_row("labels", f"{result.images - wrong:,} of {result.images:,} as expected")
    return table


def _draw_latencies(result: Result) -> Table:
    table = plain_table("latency", "calls", *QUANTILES)
    for name, histogram in _latencies(result).items():
        table.add_row(name, *_quantiles(histogram))
    if result.plan.concurrency is None:
        lag = quantile_seconds(result.lag, 0.99) or 0.0
        style = "red" if lag > MAX_LAG_SECONDS else ""
        table.add_row("the tool's own lag", *_quantiles(result.lag), style=style)
    return table


def _latencies(result: Result) -> dict[str, HdrHistogram]:
    if result.plan.concurrency is not None:
        return {"from sent": result.service}
    return {"from intended": result.intended, "from sent": result.service}


def _quantiles(histogram: HdrHistogram) -> Iterator[str]:
    yield f"{histogram.get_total_count():,}"
    for quantile in QUANTILES.values():
        seconds = quantile_seconds(histogram, quantile)
        yield format_duration(math.nan if seconds is None else seconds)


def _draw_histogram(result: Result) -> Table:
    latencies = _latencies(result)
    return draw_bars(latencies, 44 // len(latencies))


def _draw_stages(result: Result) -> RenderableType:
    """Draw the client's latency, what of it is the server's, and what is left for all between."""
    table = plain_table("where the time went", "calls", "mean", "p50", "p99")
    count = result.service.get_total_count()
    client = Stage(
        "client, from sent",
        count,
        _mean_seconds(result.service),
        quantile_seconds(result.service, 0.5),
        quantile_seconds(result.service, 0.99),
    )
    stages = {stage.name: stage for stage in result.stages}
    handling = stages.pop(HANDLING, None)
    _add_stage(table, client)
    if handling is not None:
        beyond = Stage(
            "  network and client",
            count,
            client.mean_seconds - handling.mean_seconds,
            _difference(client.p50_seconds, handling.p50_seconds),
            _difference(client.p99_seconds, handling.p99_seconds),
        )
        _add_stage(table, beyond)
        _add_stage(table, handling, "  server")
    for name, stage in stages.items():
        _add_stage(table, stage, f"    {name}")
    if handling is None or handling.count == result.sent:
        return table
    note = (
        f"The server counted {handling.count:,} such calls, the tool sent {result.sent:,}: "
        "others called too, or some were under way when the metrics were read."
    )
    return Group(table, Text(note, "dim"))


def _add_stage(table: Table, stage: Stage, name: str | None = None) -> None:
    def show(seconds: float | None) -> str:
        if seconds is None:
            return "-"
        # Of what was read from the first bucket is only known where that ends.
        if (bound := stage.first_bound_seconds) and seconds < bound:
            return f"< {format_duration(bound)}"
        return format_duration(seconds)

    table.add_row(
        name or stage.name,
        f"{stage.count:,}",
        format_duration(stage.mean_seconds),
        show(stage.p50_seconds),
        show(stage.p99_seconds),
    )


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _mean_seconds(histogram: HdrHistogram) -> float:
    return float(histogram.get_mean_value()) / MICROSECONDS
