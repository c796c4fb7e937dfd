"""Reads /metrics as Prometheus does."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import httpx
from prometheus_client import Metric
from prometheus_client.openmetrics import parser
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Exemplar, Sample

from harness.server_process import ServerProcess

Samples: TypeAlias = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by the names and labels of their samples."""

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True, slots=True)
class Exemplified:
    """The name and the labels of a sample, and its exemplar."""

    name: str
    labels: dict[str, str]
    exemplar: Exemplar


def open_metrics_families(text: str) -> list[Metric]:
    """Return the metrics of a page of OpenMetrics."""
    return list(parser.text_string_to_metric_families(text))


def families(server: ServerProcess) -> list[Metric]:
    """Return all metrics as the page has them."""
    return list(text_string_to_metric_families(_page(server)))


def _page(server: ServerProcess, accept: str = "text/plain") -> str:
    address, headers = f"http://{server.http_address}/metrics", {"accept": accept}
    return httpx.get(address, headers=headers, timeout=60).raise_for_status().text


def exemplars(server: ServerProcess) -> list[Exemplified]:
    """Return the samples that have an exemplar, which only the page of OpenMetrics has."""
    return [
        Exemplified(sample.name, sample.labels, sample.exemplar)
        for family in open_metrics_families(_page(server, OPEN_METRICS))
        for sample in family.samples
        if sample.exemplar
    ]


def samples(server: ServerProcess) -> Samples:
    """Return every sample by its name and labels, those of all workers in one sum."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = defaultdict(float)
    for family in families(server):
        for sample in family.samples:
            labels = frozenset((n, v) for n, v in sample.labels.items() if n != "worker")
            found[sample.name, labels] += sample.value
    return dict(found)


def total(found: Samples, name: str, **labels: str) -> float:
    """Sum the samples of this name that have these labels, among others."""
    return sum(
        number
        for (known, own), number in found.items()
        if known == name and labels.items() <= dict(own).items()
    )


@contextlib.contextmanager
def growth(server: ServerProcess) -> Iterator[Callable[..., float]]:
    """Yield a function that tells, after the block, how much a metric has grown in it."""
    before, after = samples(server), Samples()
    yield lambda name, **labels: total(after, name, **labels) - total(before, name, **labels)
    after.update(samples(server))


def value(server: ServerProcess, name: str, **labels: str) -> float:
    """Sum the samples of this name that have these labels, among others."""
    return sum(by_worker(server, name, **labels).values())


def by_worker(server: ServerProcess, name: str, **labels: str) -> dict[str, float]:
    """Sum the samples of this name that have these labels, among others, for each worker."""
    found: dict[str, float] = defaultdict(float)
    for sample in find(_page(server), name, labels):
        found[sample.labels.get("worker", "")] += sample.value
    return dict(found)


def by_label(server: ServerProcess, name: str, label: str, **labels: str) -> Counter[str]:
    """Sum the samples of this name that have these labels, among others, for each value of one."""
    found = Counter[str]()
    for sample in find(_page(server), name, labels):
        found[sample.labels[label]] += sample.value  # type: ignore[assignment]  # a float
    return found


def find(page: str, name: str, labels: Mapping[str, str]) -> Iterator[Sample]:
    """Yield the samples of this name that have these labels, among others, on a page."""
    # To read the whole page takes longer than some things last that are to be seen on it.
    lines = [line for line in page.splitlines(keepends=True) if line.startswith(name)]
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample


def buckets(server: ServerProcess, name: str, **labels: str) -> dict[float, float]:
    """Return a histogram's cumulative counts by their bounds, as sums over its series."""
    counts = by_label(server, f"{name}_bucket", "le", **labels)
    return {float(bound): count for bound, count in counts.items()}
