"""The page of metrics: what each worker has counted, under its number, and what the parent has."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector

from server.log_writer import LINES_LOST, STDERR
from server.series import Family, Library, Registry
from server.workers.families import WORKER, page

PARENT = "parent"
"""The label's value for what the parent has counted of itself, and the memory that it uses."""

RESTART_REASONS = ("exited", "killed", "hung", "failed", "rolled")

REGISTRY = Registry()
READY = REGISTRY.gauge("mlpserve_workers_ready", "Workers that answer calls.").labels()
WANTED = REGISTRY.gauge("mlpserve_workers", "Workers that there should be.").labels()
RESTARTS = REGISTRY.counter(
    "mlpserve_worker_restarts",
    "Workers started in place of another, by what became of that one.",
    ("reason",),
)
for _reason in RESTART_REASONS:
    RESTARTS.labels(_reason)
ANSWERED = REGISTRY.gauge(
    "mlpserve_worker_answered",
    "1 for a worker whose metrics are on this page, 0 for one that did not give them in time.",
    (WORKER,),
)
_PROCESS = CollectorRegistry()
ProcessCollector(registry=_PROCESS)

OWN = Registry()
"""What the parent has of the metrics that each process has."""
OWN.counter(*LINES_LOST).labels().set_function(lambda: STDERR.lost)
OWN.add(Library(_PROCESS))


class Page:
    """All metrics of the server; `ask` brings those of each worker, None where one is silent."""

    def __init__(self, ask: Callable[[], Mapping[str, list[Family] | None]]) -> None:
        self._ask = ask

    def write(self, open_metrics: bool) -> str:
        """Return what Prometheus reads, in its newer format or its older one."""
        families = OWN.write((WORKER, PARENT))
        for worker, its in self._ask().items():
            ANSWERED.labels(worker).set(its is not None)
            families += its or ()
        return page((*REGISTRY.write(), *families), open_metrics)
