"""The page of metrics: what each worker has counted, under its number, and what the parent has."""

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)

from server import series
from server.series import Family
from server.workers.families import WORKER, page

disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations

PARENT = "parent"
"""The label's value for the memory, time and files that the parent uses."""

RESTART_REASONS = ("exited", "killed", "hung", "failed", "rolled")

_OWN = CollectorRegistry()
READY = Gauge("mlpserve_workers_ready", "Workers that answer calls.", registry=_OWN)
WANTED = Gauge("mlpserve_workers", "Workers that there should be.", registry=_OWN)
RESTARTS = Counter(
    "mlpserve_worker_restarts_total",
    "Workers started in place of another, by what became of that one.",
    ("reason",),
    registry=_OWN,
)
for _reason in RESTART_REASONS:
    RESTARTS.labels(_reason)
ANSWERED = Gauge(
    "mlpserve_worker_answered",
    "1 for a worker whose metrics are on this page, 0 for one that did not give them in time.",
    (WORKER,),
    registry=_OWN,
)
_PROCESS = CollectorRegistry()
ProcessCollector(registry=_PROCESS)


class Page:
    """All metrics of the server; `ask` brings those of each worker, None where one is silent."""

    def __init__(self, ask: Callable[[], Mapping[str, list[Family] | None]]) -> None:
        self._ask = ask

    def write(self, open_metrics: bool) -> str:
        """Return what Prometheus reads, in its newer format or its older one."""
        families = series.of_library(_PROCESS, (WORKER, PARENT))
        for worker, its in self._ask().items():
            ANSWERED.labels(worker).set(its is not None)
            families += its or ()
        return page((*series.of_library(_OWN), *families), open_metrics)
