"""Draws the figures of a server as tables for a terminal."""

import math
import time
from collections.abc import Callable, Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlpserve.metrics import figures
from mlpserve.metrics.figures import Count, Sizes, Stage, Usage
from mlpserve.metrics.looks import Look
from mlpserve.metrics.versions import Version, versions
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.numbers import format_bytes, format_count, format_number, format_share
from mlpserve.terminal.tables import format_rate, plain_table

TOTAL = "since the\nstart"
"""The head of what is counted since the server's start."""

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
        f"   last {format_duration(head.seconds)}",
        style="" if head.ready >= head.wanted else "red",
    )


def _draw_methods(look: Look) -> Table:
    quantiles = ("p50", "p90", "p99", "p99.9")
    names = ("calls/s", TOTAL, "errors/s", "no server\nerror", *quantiles, "in\nprogress")
    table = plain_table("method", *names)
    for calls in figures.methods(look):
        table.add_row(
            calls.method,
            format_rate(calls.per_second),
            format_count(calls.total),
            format_rate(calls.errors_per_second),
            format_share(calls.no_server_error),
            *map(format_duration, (calls.p50, calls.p90, calls.p99, calls.p999)),
            format_count(calls.in_progress),
        )
    if not table.row_count:
        table.add_row("no calls counted")
    return table


def _draw_lines(look: Look) -> Table:
    """Draw what is about the server as a whole: a name and a line each."""
    images, runs, queue = figures.images(look), figures.runs(look), figures.queue(look)
    stages = figures.stages(look)
    total = f"{format_count(images.total)} since the start"
    table = Table.grid(padding=(0, 2))
    table.add_row("calls by code", _format_counts(figures.codes(look)))
    table.add_row("rejected requests by reason", _format_counts(figures.rejected(look)))
    table.add_row("images", f"{format_rate(images.per_second)}/s   {total}")
    table.add_row("images in a run", _format_sizes(runs.images))
    table.add_row("calls in a run", _format_sizes(runs.calls))
    table.add_row("images queued", _format_usage(queue.images))
    table.add_row("bytes queued", _format_usage(queue.bytes, format_bytes))
    table.add_row("calls in progress", _format_usage(queue.calls))
    table.add_row("where a call's time goes", _format_stages(stages, lambda stage: stage.mean))
    table.add_row("stages (p99)", _format_stages(stages, lambda stage: stage.p99))
    table.add_row("restarts by reason", _format_counts(figures.restarts(look)))
    return table


def _draw_workers(look: Look) -> Table:
    table = plain_table(
        "worker", "CPU", "memory", "files", "calls/s", "in\nprogress", "images\nqueued", ""
    )
    for worker in figures.workers(look):
        table.add_row(
            worker.worker,
            format_share(worker.cpu),
            format_bytes(worker.memory_bytes),
            format_count(worker.files),
            format_rate(worker.calls_per_second),
            format_count(worker.in_progress),
            format_count(worker.queued_images),
            "" if worker.answers else "does not answer",
            style="" if worker.answers else "red",
        )
    return table


def _draw_predictions(loaded: Sequence[Version]) -> Table:
    names = ("share of\ncalls", "calls/s", TOTAL, "errors/s", "p50", "p90", "p99", "queued\n(p99)")
    table = plain_table("version", *names)
    for version in loaded:
        table.add_row(
            _title_of(version),
            format_share(version.share),
            format_rate(version.per_second),
            format_count(version.total),
            format_rate(version.errors_per_second),
            *map(format_duration, (version.p50, version.p90, version.p99, version.queue_p99)),
        )
    return table


def _draw_images(loaded: Sequence[Version]) -> Table:
    """Draw what the versions saw and said."""
    activations = "winning activation\np10 p50 p90"
    names = ("images/s", TOTAL, activations, "drift\n(PSI)", "shadow\ndiffers", "labels")
    table = plain_table("version", *names)
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for version in loaded:
        confidence = version.confidence
        spread = [confidence.p10, confidence.p50, confidence.p90]
        shares = [
            f"{' '.join(each.label.split())} {format_share(each.share)}"
            for each in version.labels[:MAX_LABELS]
        ]
        table.add_row(
            _title_of(version),
            format_rate(version.images.per_second),
            format_count(version.images.total),
            "-" if math.isnan(spread[0]) else " ".join(map(format_number, spread)),
            format_number(_max_known(version.drift.values())),
            format_share(version.shadow_differing),
            "  ".join(shares) or "-",
        )
    return table


def _title_of(version: Version) -> str:
    labels = ", ".join(version.version_labels)
    return f"{version.model} {version.version}{f' ({labels})' if labels else ''}"


def _format_counts(counts: Sequence[Count]) -> str:
    texts = [
        f"{count.name} {format_count(count.total)} ({format_rate(count.per_second)}/s)"
        for count in counts
    ]
    return "   ".join(texts) or "none"


def _format_sizes(sizes: Sizes) -> str:
    mean, p50, p99 = map(format_number, (sizes.mean, sizes.p50, sizes.p99))
    return f"mean {mean}   p50 {p50}   p99 {p99}"


def _format_usage(usage: Usage, show: Callable[[float], str] = format_count) -> str:
    fullest = format_share(usage.share)
    return f"{show(usage.now)} of {show(usage.limit)}   fullest worker {fullest}"


def _format_stages(stages: Sequence[Stage], read: Callable[[Stage], float]) -> str:
    return "   ".join(f"{stage.stage} {format_duration(read(stage))}" for stage in stages)


def _max_known(numbers: Iterable[float]) -> float:
    return max((number for number in numbers if not math.isnan(number)), default=math.nan)
