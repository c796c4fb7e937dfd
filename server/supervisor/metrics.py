"""What the parent counts: the processes that it has started, and how often."""

from server.logs.writer import LINES_LOST, STDERR
from server.telemetry.accumulators import Registry
from server.telemetry.families import WORKER

RESTART_REASONS = ("exited", "killed", "hung", "failed", "rolled")
HTTP_RESTART_REASONS = ("exited", "killed", "hung", "failed")

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
HTTP_RESTARTS = REGISTRY.counter(
    "mlpserve_http_restarts",
    "Processes for HTTP started in place of another, by what became of that one.",
    ("reason",),
)
for _reason in HTTP_RESTART_REASONS:
    HTTP_RESTARTS.labels(_reason)
ANSWERED = REGISTRY.gauge(
    "mlpserve_worker_answered",
    "1 for a worker whose metrics are on this page, 0 for one that did not give them in time.",
    (WORKER,),
)
"""Known in HTTP's process alone, which writes the page."""

OWN = Registry()
"""What each process has of itself, here the parent or HTTP's process."""
OWN.counter(*LINES_LOST).labels().set_function(lambda: STDERR.lost)
