"""Metrics as JSON, from a worker to its parent."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric

Families = list[Any]
"""[name, documentation, type, [[sample name, labels, value], ...]] for each metric."""

WORKER = "worker"
"""The label that tells the workers' samples apart."""


def write(metrics: Iterable[Metric]) -> Families:
    """Return metrics in a form that JSON can hold."""
    return [
        [
            metric.name,
            metric.documentation,
            metric.type,
            [[sample.name, sample.labels, sample.value] for sample in metric.samples],
        ]
        for metric in metrics
    ]


def merge(sources: Mapping[str, Families]) -> Iterable[Metric]:
    """Return the metrics of several workers as one, with a label more."""
    merged: dict[str, Metric] = {}
    for worker, families in sources.items():
        for name, documentation, kind, samples in families:
            metric = merged.setdefault(name, Metric(name, documentation, kind))
            for sample_name, labels, value in samples:
                metric.add_sample(sample_name, {WORKER: worker, **labels}, value)
    return merged.values()
