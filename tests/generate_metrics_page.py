"""Writes docs/metrics.md, the table of all metrics, and docs/reasons.md, that of all reasons, from
where they are declared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from mlpserve.terminal.durations import format_duration
from server.reasons.loads import LOADS
from server.reasons.processes import ENDS, RELOADS, RESTARTS
from server.reasons.reason import Reason
from server.reasons.requests import REQUESTS
from server.telemetry import metrics
from server.telemetry.families import WORKER, MetricFamily, adapt
from server.telemetry.metrics import FINE_BUCKETS, LATENCY_BUCKETS

OF_PARENT = (
    metrics.WORKERS_READY,
    metrics.WORKERS,
    metrics.WORKER_RESTARTS,
    metrics.HTTP_RESTARTS,
    metrics.WORKER_ANSWERED,
)
"""What is there once, whatever the number of workers."""

DOCS = Path(__file__).parents[1] / "docs"
PAGE, REASONS_PAGE = DOCS / "metrics.md", DOCS / "reasons.md"


def _buckets() -> str:
    """Return what is said of the buckets of durations."""
    ends = LATENCY_BUCKETS[0], FINE_BUCKETS[0], FINE_BUCKETS[-1], LATENCY_BUCKETS[-1]
    first, low, high, last = map(format_duration, ends)
    below = [bound for bound in LATENCY_BUCKETS if bound <= FINE_BUCKETS[0]]
    above = [bound for bound in LATENCY_BUCKETS if bound >= FINE_BUCKETS[-1]]
    text = f"""- `grpc_server_handling_seconds`, `mlpserve_prediction_seconds` and
        `mlpserve_stage_seconds` have {len(LATENCY_BUCKETS)} bounds from {first} to {last}: in steps
        of 1.2 between {low} and {high}, in wider ones outside, and one at 5 ms, the objective of
        the alerts. A quantile read from them lies in the same bucket as the exact one: between
        {low} and {high} it is off by {_error(FINE_BUCKETS):.0%} at most, from {first} on by
        {_error(below):.0%}, up to {last} by {_error(above):.0%}."""
    return fill(" ".join(text.split()), 100, subsequent_indent="  ")


def _error(bounds: Sequence[float]) -> float:
    """Return how far off a quantile between these bounds may be, as a share of the exact one: that
    may lie where a bucket begins, and what is read where it ends.
    """
    return max(high / low for low, high in pairwise(bounds)) - 1


_HEAD = f"""# Metrics

`http://HOST:8080/metrics` serves the metrics of all workers on one page, in OpenMetrics or the
older text format, as the scraper asks. The page you are reading is written by
`.venv/bin/python -m tests.generate_metrics_page`; a test compares it with the code.

- The metrics of a worker have its number in the label `worker`; `worker="parent"` stands for the
  process that starts the workers, `worker="http"` for the one that serves HTTP. A restarted worker
  starts at zero, an ordinary counter reset for `rate()`.
- A scraper that sends `X-Prometheus-Scrape-Timeout-Seconds`, as Prometheus does, gets its answer
  within that time, others within four seconds. A worker that takes longer is left out, has 0 for
  `mlpserve_worker_answered`, and a line in the log.
- With traces on, the buckets of `grpc_server_handling_seconds` and `mlpserve_prediction_seconds`
  have exemplars, in OpenMetrics: see [observability.md](observability.md#traces).
- Every method, common code and reason of a rejected request is present from the start, at zero.
  Callers can't add series: unknown methods are counted as `other`. What each `reason` and `outcome`
  means, and what to do about it: [reasons.md](reasons.md).
{_buckets()}
- `mlpserve_predictions_total`, `mlpserve_prediction_seconds` and `mlpserve_stage_seconds` tell the
  versions of models apart, so that a canary can be compared with the stable version; which
  versions these are, `mlpserve_version_label_info` says. A call that is refused before its version
  is known is in the metrics of its method alone.
- A version that is unloaded keeps its series for five minutes: without them, what was counted after
  the last scrape would be lost, and of a canary that is taken away because it fails that is what
  matters. Then they go: Prometheus marks series that vanish as stale, and each one that stays would
  cost memory in both for nothing. A version that is loaded again begins at zero, an ordinary
  counter reset.
- `mlpserve_stage_seconds` covers nearly all of the time of each answered call: *decode* is reading
  the messages of the calls that arrived together, *queue* is waiting, *run* is the model's run,
  *encode* is counting and writing the responses of that run. Time spent handing responses to gRPC
  is not included.
- `mlpserve_drift_images_total` and `mlpserve_drift_reference_ratio` have the same bins. From both
  the recording rules compute the Population Stability Index, the sum over all bins of
  `(p - q) * ln(p / q)`, where p is the share of the served images and q that of the training
  images: 0.1 is worth a look, 0.25 is drift. A model exported without its training images has no
  reference.

| metric | type | labels | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A set of reasons, and where they appear."""

    reasons: Mapping[Any, Reason]
    metric: str
    line: str
    elsewhere: str = ""


PLACES = {
    "request": Place(
        REQUESTS,
        "`mlpserve_rejected_requests_total{reason}`",
        "`call`: `reason`",
        "`mlpserve.reason` of a span. In capitals, such as `PIXEL_COUNT`: an error's "
        "`google.rpc` details, `Violation.reason` of `mlpserve.InvalidRequest`, and `reason` of an "
        "error [over HTTP](http.md#errors)",
    ),
    "load": Place(
        LOADS,
        "`mlpserve_model_load_failures_total{reason}`",
        "`model not loaded`: `reason`, of which `message` says more",
        "RepositoryIndex and `Client.list_models()` have the message",
    ),
    "worker": Place(
        RESTARTS,
        "`mlpserve_worker_restarts_total{reason}`",
        "`worker ended`: `reason`, of which `error` says more",
    ),
    "HTTP": Place(
        ENDS,
        "`mlpserve_http_restarts_total{reason}`",
        "`HTTP's process ended`: `reason`, of which `error` says more",
    ),
    "reload": Place(
        RELOADS,
        "`mlpserve_reloads_total{outcome}`",
        "`reloaded`, or `reload failed, the previous content stays in use`, of which `error` says "
        "more",
        "`Admin/Reload` answers with the error",
    ),
}

_REASONS_HEAD = """# Reasons

Metrics, log lines, traces and errors say in one word why something failed. This page lists all of
these words, with what each means and what to do about it. It is written by
`.venv/bin/python -m tests.generate_metrics_page` from the tables in `server/reasons`. A test
compares it with them, and the types in the code admit no other words.

| where | metric | log line | elsewhere |
|---|---|---|---|
"""
_REASONS_TABLE = """
The codes are gRPC's; metrics and log lines write `INVALID_ARGUMENT` as `InvalidArgument`. The
*caller* sends the request, the *operator* runs the server. What HTTP's process refuses by itself is
in [http.md](http.md#errors).

| reason | where | gRPC code | meaning | what to do |
|---|---|---|---|---|
"""


def declared() -> Iterator[MetricFamily]:
    """Yield every metric, with the names of all its labels."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricFamily):
            own = () if metric in OF_PARENT else (WORKER,)
            yield replace(metric, label_names=(*own, *metric.label_names))
        elif isinstance(metric, MetricWrapperBase):
            (known,) = metric.describe()
            names = (WORKER, *metric._labelnames)
            yield MetricFamily(known.name, known.type, known.documentation, names)
    for family in adapt(metrics.REGISTRY):
        if family.name.startswith("process_"):
            yield replace(family, label_names=(WORKER,))


def _row(family: MetricFamily) -> str:
    name = f"{family.name}_total" if family.kind == "counter" else family.name
    labels = ", ".join(f"`{label}`" for label in family.label_names)
    return f"| `{name}` | {family.kind} | {labels} | {family.documentation} |\n"


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(sorted(map(_row, declared())))


def reasons_page() -> str:
    """Return the page of all reasons."""
    places = "".join(
        f"| {name} | {place.metric} | {place.line} | {place.elsewhere} |\n"
        for name, place in PLACES.items()
    )
    found: dict[tuple[str, Reason], list[str]] = {}
    for name, place in PLACES.items():
        for word, reason in place.reasons.items():
            found.setdefault((word, reason), []).append(name)
    rows = [
        f"| `{word}` | {', '.join(names)} | {reason.code and f'`{reason.code}`'} | "
        f"{reason.meaning} | {_remedy(reason)} |\n"
        for (word, reason), names in sorted(found.items(), key=lambda item: item[0][0])
    ]
    return _REASONS_HEAD + places + _REASONS_TABLE + "".join(rows)


def _remedy(reason: Reason) -> str:
    remedies = {"caller": reason.caller, "operator": reason.operator}
    told = [f"*{who}*: {remedy}" for who, remedy in remedies.items() if remedy]
    return "<br>".join(told) or "nothing"


if __name__ == "__main__":
    PAGE.write_text(page())
    REASONS_PAGE.write_text(reasons_page())
