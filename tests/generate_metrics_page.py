"""Writes docs/metrics.md, the table of all metrics, from where they are declared."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from textwrap import fill

from prometheus_client.metrics import MetricWrapperBase

from mlpserve.terminal.durations import format_duration
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

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"


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
- Every method, reason and common code is present from the start, at zero. Callers can't add
  series: unknown methods are counted as `other`.
{_buckets()}
- `mlpserve_predictions_total`, `mlpserve_prediction_seconds` and `mlpserve_stage_seconds` tell the
  versions of models apart, so that a canary can be held against the stable version beside it; which
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


def _declared() -> Iterator[MetricFamily]:
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
    return _HEAD + "".join(sorted(map(_row, _declared())))


if __name__ == "__main__":
    PAGE.write_text(page())
