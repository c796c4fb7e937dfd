"""Draws a look at a server as tables for a terminal."""

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlpserve.metrics.exposition import STAGES
from mlpserve.metrics.looks import Look, total, totals
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.tables import format_counts, plain_table

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
MAX_LABELS = 12
"""Labels whose share is shown, the most frequent ones."""

_STARTED, _HANDLED = "grpc_server_started_total", "grpc_server_handled_total"
_SECONDS = "grpc_server_handling_seconds"
_LABELS = "mlpserve_predicted_labels_total"


def draw(address: str, look: Look) -> RenderableType:
    """Return a look as tables."""
    return Group(
        _draw_head(address, look),
        Text(),
        _draw_methods(look),
        Text(),
        _draw_lines(look),
        Text(),
        _draw_workers(look),
        Text(),
        _draw_models(look),
    )


def _draw_head(address: str, look: Look) -> Text:
    ready = total(look.page, "mlpserve_workers_ready")
    wanted = total(look.page, "mlpserve_workers")
    return Text.assemble(
        (f"mlpserve at {address}", "bold"),
        f"   {ready:.0f} of {wanted:.0f} workers ready",
        f"   last {look.seconds:.1f} s",
        style="" if ready >= wanted else "red",
    )


def _draw_methods(look: Look) -> Table:
    """Draw the methods that have been called since the first look or are being called."""
    table = plain_table("method", "calls", "calls/s", "errors/s", *QUANTILES, "in progress")
    methods = {dict(labels)["grpc_method"] for labels in look.page.get(_STARTED, ())}
    for method in sorted(methods):
        selector = {"grpc_method": method}
        calls = total(look.counted, _STARTED, **selector)
        in_progress = total(look.page, "grpc_server_calls_in_progress", **selector)
        if not calls and not in_progress:
            continue
        errors = look.rate(_HANDLED, **selector) - look.rate(_HANDLED, grpc_code="OK", **selector)
        quantiles = [look.quantile(share, _SECONDS, **selector) for share in QUANTILES.values()]
        table.add_row(
            method,
            f"{calls:.0f}",
            f"{look.rate(_STARTED, **selector):.1f}",
            f"{errors:.1f}",
            *map(format_duration, quantiles),
            f"{in_progress:.0f}",
        )
    if not table.row_count:
        table.add_row("no calls yet")
    return table


def _draw_lines(look: Look) -> Table:
    """Draw what is about the server as a whole: a name and a line each."""
    table = Table.grid(padding=(0, 2))
    codes = totals(look.counted, _HANDLED, "grpc_code")
    rejected = totals(look.counted, "mlpserve_rejected_requests_total", "reason")
    restarts = totals(look.page, "mlpserve_worker_restarts_total", "reason")
    queued = total(look.page, "mlpserve_queued_images")
    limit = total(look.page, "mlpserve_max_queued_images")
    stages = [(stage, look.mean("mlpserve_stage_seconds", stage=stage)) for stage in STAGES]
    images = _format("{:.1f}", look.mean("mlpserve_run_images"))
    calls = _format("{:.1f}", look.mean("mlpserve_run_calls"))
    runs = f"{images} images of {calls} calls together"
    table.add_row("codes", format_counts(codes))
    table.add_row("rejected", format_counts(rejected))
    table.add_row("images", f"{look.rate('mlpserve_images_total'):.1f}/s, {runs}")
    table.add_row("queue", f"{queued:.0f} of {limit:.0f} images")
    table.add_row(
        "stages", "   ".join(f"{stage} {format_duration(mean)}" for stage, mean in stages)
    )
    table.add_row("restarts", format_counts(restarts))
    return table


def _draw_workers(look: Look) -> Table:
    table = plain_table("worker", "CPU", "memory", "files", "calls/s", "in progress", "queued", "")
    cpu = look.rates("process_cpu_seconds_total", "worker")
    memory = totals(look.page, "process_resident_memory_bytes", "worker")
    files = totals(look.page, "process_open_fds", "worker")
    calls = look.rates(_STARTED, "worker")
    in_progress = totals(look.page, "grpc_server_calls_in_progress", "worker")
    queued = totals(look.page, "mlpserve_queued_images", "worker")
    answered = totals(look.page, "mlpserve_worker_answered", "worker")
    counts = (files, calls, in_progress, queued)
    for worker in sorted({*cpu, *answered}, key=_by_number):
        is_silent = answered.get(worker) == 0
        table.add_row(
            worker,
            _format("{:.0%}", cpu.get(worker, math.nan)),
            _format("{:.0f} MB", memory.get(worker, math.nan) / 1e6),
            *(_format("{:.0f}", values.get(worker, math.nan)) for values in counts),
            "does not answer" if is_silent else "",
            style="red" if is_silent else "",
        )
    return table


def _draw_models(look: Look) -> Table:
    """Draw each loaded version, with the shares of its labels since the look before."""
    table = plain_table("model", "version", "images/s", "labels")
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    loaded = {
        (labels["model"], labels["version"])
        for labels in map(dict, look.page.get("mlpserve_model_info", ()))
    }
    for model, version in sorted(loaded, key=lambda key: (key[0], len(key[1]), key[1])):
        selector = {"model": model, "version": version}
        labels = totals(look.increases, _LABELS, "label", **selector)
        images = sum(labels.values())
        often = sorted(labels, key=lambda label: (-labels[label], label))[:MAX_LABELS]
        shares = [f"{label} {labels[label] / images:.0%}" for label in often if labels[label]]
        rate = look.rate("mlpserve_images_total", **selector)
        table.add_row(model, version, f"{rate:.1f}", "  ".join(shares) or "-")
    return table


def _by_number(worker: str) -> tuple[bool, int, str]:
    return not worker.isdecimal(), len(worker), worker


def _format(form: str, value: float) -> str:
    return "-" if math.isnan(value) else form.format(value)
