"""Collects all metrics of a worker for a scrape."""

from server.logs.writer import STDERR
from server.telemetry import metrics
from server.telemetry.calls import METHODS
from server.telemetry.families import Label, MetricFamily, adapt
from server.telemetry.version_stats import VERSIONS


def families(*labels: Label) -> list[MetricFamily]:
    """Return the families, each sample with these labels too."""
    histograms = (metrics.DECODE, metrics.QUEUE, metrics.RUN, metrics.ENCODE)
    stages = [
        ((stage,), histogram.read())
        for stage, histogram in zip(metrics.STAGES, histograms, strict=True)
    ]
    return [
        *METHODS.families(*labels),
        metrics.STAGE_SECONDS.with_histograms(stages, *labels),
        *VERSIONS.families(*labels),
        *adapt(metrics.REGISTRY, *labels),
        metrics.LINES_LOST.with_samples([((), STDERR.lost)], *labels),
    ]
