"""Collects all metrics of a worker for a scrape."""

from server.logs.writer import STDERR
from server.telemetry import metrics
from server.telemetry.calls import METHODS
from server.telemetry.families import Label, MetricFamily, adapt
from server.telemetry.version_stats import VERSIONS


def families(*labels: Label) -> list[MetricFamily]:
    """Return the families, each sample with these labels too."""
    return [
        *METHODS.families(*labels),
        *VERSIONS.families(*labels),
        *adapt(metrics.REGISTRY, *labels),
        metrics.LINES_LOST.with_samples([((), STDERR.lost)], *labels),
    ]
