"""Metrics as lines of Prometheus' text format: as processes pass them on, and as the page."""

import functools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The parent passes metrics on without it.
    from prometheus_client import CollectorRegistry

WORKER = "worker"
"""The label that tells the samples of the processes apart."""

PARENT, HTTP = "parent", "http"
"""Its values for the processes that answer no calls."""

Label = tuple[str, str]
Values = tuple[str, ...]

_EXEMPLAR = re.compile(
    rb' # \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\} \S+ \S+$', re.MULTILINE
)
"""No label's value has it in it, since quotes are escaped there."""


def exemplar(trace_id: int, span_id: int, value: float, timestamp: float) -> str:
    """Return what names a traced call behind the count of its bucket, in OpenMetrics alone: its
    span, its value, and when it ended, in seconds since 1970.
    """
    return f' # {{trace_id="{trace_id:032x}",span_id="{span_id:016x}"}} {value} {timestamp:.3f}'


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram: how many values are at most each bound, the last +Inf, and the sum of all; and
    the exemplars of the buckets, empty where there is none.
    """

    bounds: Sequence[str]
    counts: Sequence[int]
    total: float
    exemplars: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """A metric and the lines of its samples; a counter's name comes without its _total."""

    name: str
    kind: str
    documentation: str
    label_names: tuple[str, ...] = ()
    lines: bytes = b""

    def with_samples(
        self, samples: Iterable[tuple[Values, float]], *labels: Label
    ) -> "MetricFamily":
        """Return the family with samples by the values of its labels; each has `labels` too."""
        name = f"{self.name}_total" if self.kind == "counter" else self.name
        lines = [f"{name}{self._format(values, labels)} {number}\n" for values, number in samples]
        return replace(self, lines="".join(lines).encode())

    def with_histograms(
        self, histograms: Iterable[tuple[Values, Buckets]], *labels: Label
    ) -> "MetricFamily":
        """Return the family with histograms by the values of its labels; each has `labels` too."""
        lines = []
        for values, buckets in histograms:
            own = self._format(values, labels)
            begin = f'{self.name}_bucket{own[:-1]},le="'
            ends = buckets.exemplars or [""] * len(buckets.bounds)
            lines += [
                f'{begin}{bound}"}} {count}{end}\n'
                for bound, count, end in zip(buckets.bounds, buckets.counts, ends, strict=True)
            ]
            lines.append(f"{self.name}_count{own} {buckets.counts[-1]}\n")
            lines.append(f"{self.name}_sum{own} {buckets.total}\n")
        return replace(self, lines="".join(lines).encode())

    def _format(self, values: Values, labels: tuple[Label, ...]) -> str:
        return format_labels((*labels, *zip(self.label_names, values, strict=True)))


# The same samples are written at every scrape.
@functools.lru_cache(maxsize=8192)
def format_labels(labels: tuple[Label, ...]) -> str:
    """Return labels as they stand after a sample's name; empty when there are none."""
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def adapt(registry: "CollectorRegistry", *labels: Label) -> list[MetricFamily]:
    """Return the metrics of the library's collectors, each sample with these labels too."""
    families = []
    for metric in registry.collect():
        lines = [
            f"{sample.name}{format_labels((*labels, *sample.labels.items()))} {sample.value}\n"
            for sample in metric.samples
            if not sample.name.endswith("_created")
        ]
        text = "".join(lines).encode()
        families.append(MetricFamily(metric.name, metric.type, metric.documentation, lines=text))
    return families


def pack(families: Iterable[MetricFamily]) -> tuple[bytes, ...]:
    """Return families as bytes: a line of JSON with the size of each one's lines, then these."""
    known = list(families)
    heads = [
        (family.name, family.kind, family.documentation, len(family.lines)) for family in known
    ]
    return json.dumps(heads).encode() + b"\n", *(family.lines for family in known)


def unpack(packed: bytes) -> list[MetricFamily]:
    """Return what `pack` was given, but the names of labels; raises ValueError for all else."""
    begin = packed.index(b"\n") + 1
    families = []
    for name, kind, documentation, size in json.loads(packed[:begin]):
        lines = packed[begin : begin + size]
        families.append(MetricFamily(name, kind, documentation, lines=lines))
        begin += size
    return families


def page(families: Iterable[MetricFamily], open_metrics: bool) -> bytes:
    """Return a page, with the samples of several processes' families of one name together; only
    that of OpenMetrics has exemplars.
    """
    by_name: dict[str, list[MetricFamily]] = {}
    for family in families:
        by_name.setdefault(family.name, []).append(family)
    parts = []
    for name, same in by_name.items():
        kind, documentation = same[0].kind, same[0].documentation
        full_name = f"{name}_total" if kind == "counter" and not open_metrics else name
        text = documentation.replace("\\", r"\\").replace("\n", r"\n")
        parts.append(f"# HELP {full_name} {text}\n# TYPE {full_name} {kind}\n".encode())
        parts += [
            family.lines if open_metrics else _EXEMPLAR.sub(b"", family.lines) for family in same
        ]
    return b"".join((*parts, b"# EOF\n" if open_metrics else b""))
