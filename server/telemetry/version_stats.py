"""Counts the runs, images and answers of each version, and their distance from its training images.

Examining images one by one would cost more than running them, so those of many runs are kept and
examined together.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from modelfile.reference import INK, MARGIN, WINNING
from modelfile.reference import LABELS as ANSWERS
from server.telemetry import metrics
from server.telemetry.accumulators import HotHistogram
from server.telemetry.families import Buckets, Label, MetricFamily, Values
from server.telemetry.inference import InferenceSums, Sums
from server.telemetry.model import Model

Batch = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]

DISTRIBUTIONS = (WINNING, MARGIN, INK)

RUN_SIZES = tuple(2.0**power for power in range(13))

KEPT_BYTES = 512 * 1024
"""Activations, and what goes with them, that a version keeps until they are examined together."""

ENTRY_BYTES = 1024
"""Overhead of a run's arrays."""

A = TypeVar("A", bound=np.generic)


def own(values: npt.NDArray[A]) -> npt.NDArray[A]:
    """Return an array that keeps no larger one in memory, as a view does."""
    base = values.base
    return values.copy() if isinstance(base, np.ndarray) and base.nbytes > values.nbytes else values


class VersionStats:
    """The counts of one version; all methods may be called from any thread."""

    def __init__(self, model: Model) -> None:
        self.reference, self.label_names = model.reference, model.labels
        self._n_pixels = model.n_pixels
        self.run_calls, self.run_images = HotHistogram(RUN_SIZES), HotHistogram(RUN_SIZES)
        self._bounds = {name: np.array(model.reference.bounds[name]) for name in DISTRIBUTIONS}
        self._histograms = {
            name: HotHistogram(model.reference.bounds[name]) for name in DISTRIBUTIONS
        }
        self.inference = InferenceSums()
        self._labels = np.zeros(len(model.labels), np.int64)
        self._kept: list[tuple[Batch, Batch, Labels]] = []
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def count_run(self, calls: int, images: int) -> None:
        """Count a run of the model, by its calls and its images."""
        self.run_calls.observe(calls)
        self.run_images.observe(images)

    def observe(self, ink: Batch, activations: Batch, labels: Labels) -> None:
        """Count images by the sum of the pixels of each (N,), and the activations (N, classes) and
        the label (N,) that each got.
        """
        size = ink.nbytes + activations.nbytes + labels.nbytes + ENTRY_BYTES
        if size > KEPT_BYTES:
            rows = max(1, len(ink) * KEPT_BYTES // size)
            for begin in range(0, len(ink), rows):
                part = slice(begin, begin + rows)
                self._count([(ink[part], activations[part], labels[part])])
            return
        entry = own(ink), own(activations), own(labels)
        with self._lock:
            self._kept.append(entry)
            self._kept_bytes += size
            is_full = self._kept_bytes >= KEPT_BYTES
        if is_full:
            self.flush()

    def flush(self) -> None:
        """Count what has been kept."""
        with self._lock:
            entries, self._kept, self._kept_bytes = self._kept, [], 0
        if entries:
            self._count(entries)

    def _count(self, entries: Sequence[tuple[Batch, Batch, Labels]]) -> None:
        inks, rows, winners = zip(*entries, strict=True)
        labels = np.concatenate(winners)
        ink = np.concatenate(inks) / self._n_pixels
        # Class by class, since NumPy finds the largest of long rows many at a time.
        activations = np.concatenate(rows).T.copy()
        winning, second = activations.max(axis=0), np.zeros(len(labels), np.float32)
        if len(activations) > 1:
            activations[labels, np.arange(len(labels))] = -np.inf
            second = activations.max(axis=0)
        with np.errstate(over="ignore"):
            margin = winning - second
        counts = np.bincount(labels, minlength=len(self._labels))
        with self._lock:
            self._labels += counts
        for name, computed in ((WINNING, winning), (MARGIN, margin), (INK, ink)):
            # Of finite numbers too, and infinity would stay in the histogram's sum.
            values = np.nan_to_num(computed)
            bounds = self._bounds[name]
            binned = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
            self._histograms[name].add(binned.tolist(), float(values.sum(dtype=np.float64)))

    @property
    def images(self) -> int:
        """How many images have been counted."""
        return int(self._labels.sum())

    def labels(self) -> Mapping[str, int]:
        """Return how often each label was the answer, by its name."""
        return dict(zip(self.label_names, self._labels.tolist(), strict=True))

    def drift(self) -> Iterable[tuple[Values, float]]:
        """Yield how many images lie in each bin of each distribution."""
        for distribution, bins in self._bins().items():
            for name, count in bins.items():
                yield (distribution, name), count

    def drift_reference(self) -> Iterable[tuple[Values, float]]:
        """Yield the share of the training images in each bin of each distribution."""
        bins = self._bins()
        for distribution, shares in self.reference.shares.items():
            for name, share in zip(bins[distribution], shares, strict=True):
                yield (distribution, name), share

    def _bins(self) -> Mapping[str, Mapping[str, int]]:
        seen = {name: histogram.bins() for name, histogram in self._histograms.items()}
        return {ANSWERS: self.labels(), **seen}

    def distribution(self, name: str) -> Buckets:
        """Return the histogram of winning activations, margins or ink."""
        return self._histograms[name].read()


class Versions:
    """The versions that are loaded, or have not yet ended their last run."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], VersionStats] = {}
        self._lock = threading.Lock()

    def stats(self, model: Model) -> VersionStats:
        """Return the counts of a model's version, which exist from then on."""
        key = model.name, model.version
        with self._lock:
            stats = self._versions.get(key)
            # The same number may be given to another file.
            if stats is None or (stats.reference, stats.label_names) != (
                model.reference,
                model.labels,
            ):
                self._versions[key] = stats = VersionStats(model)
            return stats

    def forget(self, name: str, version: int) -> None:
        """Remove a version's series."""
        self._versions.pop((name, version), None)

    def sums(self) -> dict[tuple[str, int], Sums]:
        """Return where the time of each version's calls went."""
        return {key: stats.inference.read() for key, stats in list(self._versions.items())}

    def families(self, *labels: Label) -> list[MetricFamily]:
        """Return the families, each sample with these labels too."""
        versions = [
            ((name, str(version)), stats) for (name, version), stats in list(self._versions.items())
        ]
        for _, stats in versions:
            stats.flush()

        samples = [
            family.with_samples(
                (
                    ((*version, *values), number)
                    for version, stats in versions
                    for values, number in read(stats)
                ),
                *labels,
            )
            for family, read in SAMPLES.items()
        ]
        histograms = [
            family.with_histograms(((version, read(stats)) for version, stats in versions), *labels)
            for family, read in HISTOGRAMS.items()
        ]
        return samples + histograms


SAMPLES: Mapping[MetricFamily, Callable[[VersionStats], Iterable[tuple[Values, float]]]] = {
    metrics.IMAGES: lambda stats: [((), stats.images)],
    metrics.PREDICTED_LABELS: lambda stats: [((name,), n) for name, n in stats.labels().items()],
    metrics.DRIFT_IMAGES: VersionStats.drift,
    metrics.DRIFT_REFERENCE: VersionStats.drift_reference,
}
HISTOGRAMS: Mapping[MetricFamily, Callable[[VersionStats], Buckets]] = {
    metrics.RUN_CALLS: lambda stats: stats.run_calls.read(),
    metrics.RUN_IMAGES: lambda stats: stats.run_images.read(),
    metrics.WINNING_ACTIVATION: lambda stats: stats.distribution(WINNING),
    metrics.MARGIN: lambda stats: stats.distribution(MARGIN),
    metrics.INK: lambda stats: stats.distribution(INK),
}
VERSIONS = Versions()
