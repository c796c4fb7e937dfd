"""Where the server spent the calls' time, read from its metrics before and after a run."""

import math

from mlpserve.bench.result import Protocol, Stage
from mlpserve.metrics.exposition import STAGES, PageError, Samples, fetch
from mlpserve.metrics.looks import Look, Watch, quantile

HANDLING = "handling"
"""All of a call's time in the server; the other stages are parts of it."""


def measure_stages(before: Samples, after: Samples, protocol: Protocol) -> tuple[Stage, ...]:
    """Return the server's handling of calls and its parts, as far as there were any.

    Whatever the server did between the two pages counts, for other callers too. Quantiles are
    interpolated in the histogram's buckets, as Prometheus does.
    """
    watch = Watch()
    watch.look(before, 0.0)
    look = watch.look(after, 1.0)
    stages = [
        _read_stage(
            look,
            HANDLING,
            "grpc_server_handling_seconds",
            grpc_service=protocol.service,
            grpc_method=protocol.method,
        ),
        *(_read_stage(look, name, "mlpserve_stage_seconds", stage=name) for name in STAGES),
    ]
    return tuple(stage for stage in stages if stage.count)


def _read_stage(look: Look, name: str, metric: str, **labels: str) -> Stage:
    buckets = look.buckets(metric, **labels)
    return Stage(
        name,
        count=round(buckets.get(math.inf, 0)),
        mean_seconds=look.mean(metric, **labels),
        p50_seconds=quantile(buckets, 0.5),
        p99_seconds=quantile(buckets, 0.99),
        first_bound_seconds=min(buckets, default=0.0),
    )


def scrape(address: str, timeout_seconds: float = 10.0) -> Samples | str:
    """Return the page of metrics at HOST:PORT, or a line that says why there is none.

    A run is worth having without it.
    """
    try:
        return fetch(address, timeout_seconds)
    except PageError as error:
        return f"the server's stages are not shown: {error}"
