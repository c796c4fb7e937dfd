"""Draws the figures of a server as tables for a terminal."""

import math
import time
from collections.abc import Callable, Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlpserve.metrics import figures
from mlpserve.metrics.figures import Count, Level, Sizes, Stage
from mlpserve.metrics.looks import Look
from mlpserve.metrics.versions import Version, versions
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.numbers import format_megabytes, format_number, format_share
from mlpserve.terminal.tables import plain_table

MAX_LABELS = 12
"""Labels whose share is shown, the most frequent ones."""


def draw(address: str, look: Look) -> RenderableType:
    """Return a look as tables."""
    loaded = versions(look)
    parts = (
        _draw_head(address, look),
        _draw_methods(look),
        _draw_lines(look),
        _draw_workers(look),
        _draw_predictions(loaded),
        _draw_images(loaded),
    )
    return Group(*(line for part in parts for line in (part, Text())))


def _draw_head(address: str, look: Look) -> Text:
    head = figures.head(look)
    since = ""
    if not math.isnan(head.since):
        since = f"   since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(head.since))}"
    return Text.assemble(
        (f"mlpserve at {address}", "bold"),
        f"   {head.ready:.0f} of {head.wanted:.0f} workers ready",
        since,
        f"   last {format_number(head.seconds, 1)} s",
        style="" if head.ready >= head.wanted else "red",
    )


def _draw_methods(look: Look) -> Table:
    quantiles = ("p50", "p90", "p99", "p99.9")
    table = plain_table("method", "calls/s", "total", "errors/s", *quantiles, "in progress")
    for calls in figures.methods(look):
        table.add_row(
            calls.method,
            format_number(calls.per_second, 1),
            format_number(calls.total),
            format_number(calls.errors_per_second, 1),
            *map(format_duration, (calls.p50, calls.p90, calls.p99, calls.p999)),
            format_number(calls.in_progress),
        )
    if not table.row_count:
        table.add_row("no calls yet")
    return table


def _draw_lines(look: Look) -> Table:
    """Draw what is about the server as a whole: a name and a line each."""
    images, runs, queue = figures.images(look), figures.runs(look), figures.queue(look)
    stages = figures.stages(look)
    table = Table.grid(padding=(0, 2))
    table.add_row("codes", _format_counts(figures.codes(look)))
    table.add_row("rejected", _format_counts(figures.rejected(look)))
    table.add_row(
        "images",
        f"{format_number(images.per_second, 1)}/s   total {format_number(images.total)}"
        f"   in a run {_format_sizes(runs.images)}",
    )
    table.add_row("calls in a run", _format_sizes(runs.calls))
    table.add_row("images queued", _format_level(queue.images))
    table.add_row("bytes queued", _format_level(queue.bytes, format_megabytes))
    table.add_row("calls in progress", _format_level(queue.calls))
    table.add_row("stages, mean", _format_stages(stages, [stage.mean for stage in stages]))
    table.add_row("stages, p99", _format_stages(stages, [stage.p99 for stage in stages]))
    table.add_row("restarts", _format_counts(figures.restarts(look)))
    return table


def _draw_workers(look: Look) -> Table:
    table = plain_table("worker", "CPU", "memory", "files", "calls/s", "in progress", "queued", "")
    for worker in figures.workers(look):
        table.add_row(
            worker.worker,
            format_share(worker.cpu),
            format_megabytes(worker.memory_bytes),
            format_number(worker.files),
            format_number(worker.calls_per_second, 1),
            format_number(worker.in_progress),
            format_number(worker.queued_images),
            "" if worker.answers else "does not answer",
            style="" if worker.answers else "red",
        )
    return table


def _draw_predictions(loaded: Sequence[Version]) -> Table:
    quantiles = ("p50", "p90", "p99", "queue p99")
    table = plain_table(
        "model", "version", "share", "predictions/s", "total", "errors/s", *quantiles
    )
    table.columns[1].justify = "left"
    for version in loaded:
        table.add_row(
            version.model,
            " ".join((version.version, *version.version_labels)),
            format_share(version.share),
            format_number(version.per_second, 1),
            format_number(version.total),
            format_number(version.errors_per_second, 1),
            *map(format_duration, (version.p50, version.p90, version.p99, version.queue_p99)),
        )
    return table


def _draw_images(loaded: Sequence[Version]) -> Table:
    """Draw what the versions saw and said."""
    table = plain_table(
        "model", "version", "images/s", "total", "confidence", "drift", "differing", "labels"
    )
    table.columns[1].justify = "left"
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for version in loaded:
        confidence = version.confidence
        spread = [confidence.p10, confidence.p50, confidence.p90]
        shares = [
            f"{each.label} {format_share(each.share)}" for each in version.labels[:MAX_LABELS]
        ]
        table.add_row(
            version.model,
            version.version,
            format_number(version.images.per_second, 1),
            format_number(version.images.total),
            "-" if math.isnan(spread[0]) else " ".join(f"{value:.2f}" for value in spread),
            format_number(_max_known(version.drift.values()), 2),
            format_share(version.shadow_differing),
            "  ".join(shares) or "-",
        )
    return table


def _format_counts(counts: Sequence[Count]) -> str:
    texts = [
        f"{count.name} {format_number(count.total)} ({format_number(count.per_second, 1)}/s)"
        for count in counts
    ]
    return "   ".join(texts) or "none"


def _format_sizes(sizes: Sizes) -> str:
    mean, p50, p99 = (format_number(size, 1) for size in (sizes.mean, sizes.p50, sizes.p99))
    return f"{mean}   p50 {p50}   p99 {p99}"


def _format_level(level: Level, show: Callable[[float], str] = format_number) -> str:
    fullest = format_share(level.share)
    return f"{show(level.now)} of {show(level.limit)}   fullest worker {fullest}"


def _format_stages(stages: Sequence[Stage], seconds: Sequence[float]) -> str:
    pairs = zip(stages, seconds, strict=True)
    return "   ".join(f"{stage.stage} {format_duration(value)}" for stage, value in pairs)


def _max_known(numbers: Iterable[float]) -> float:
    return max((number for number in numbers if not math.isnan(number)), default=math.nan)
