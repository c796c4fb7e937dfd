"""Writes docs/metrics.md, the table of all metrics, from where they are declared."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from server.telemetry import metrics
from server.telemetry.families import WORKER, MetricFamily, adapt
from server.telemetry.metrics import LATENCY_BUCKETS

OF_PARENT = (
    metrics.WORKERS_READY,
    metrics.WORKERS,
    metrics.WORKER_RESTARTS,
    metrics.HTTP_RESTARTS,
    metrics.WORKER_ANSWERED,
)
"""What is there once, whatever the number of workers."""

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"

_HEAD = f"""# Metrics

`http://HOST:8080/metrics` serves the metrics of all workers on one page, in OpenMetrics or the
older text format, as the scraper asks. The page you are reading is written by
`python -m tests.generate_metrics_page`; a test compares it with the code.

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
- `grpc_server_handling_seconds`, `mlpserve_prediction_seconds` and `mlpserve_stage_seconds` have
  {len(LATENCY_BUCKETS)} bounds from 50 us to 10 s, in steps of 1.2 between 100 us and 10 ms, where
  a quantile read from them is off by a fifth at most, and one at 5 ms, the objective of the alerts.
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
