"""Counts the runs, images and answers of each version, and their distance from its training images.

Examining images one by one would cost more than running them, so those of many runs are kept and
examined together.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from modelfile.reference import INK, MARGIN, WINNING
from modelfile.reference import LABELS as ANSWERS
from server.telemetry import metrics
from server.telemetry.accumulators import HotHistogram
from server.telemetry.families import Buckets, Label, MetricFamily, Values
from server.telemetry.model import Model
from server.telemetry.predictions import Counted, Predictions, Sums

Batch = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]

DISTRIBUTIONS = (WINNING, MARGIN, INK)

RUN_SIZES = tuple(2.0**power for power in range(13))

KEPT_BYTES = 512 * 1024
"""Activations, and what goes with them, that a version keeps until they are examined together."""

ENTRY_BYTES = 1024
"""Overhead of a run's arrays."""

KEPT_SECONDS = 300.0
"""How long the series of a version that is gone are there: time for several scrapes, and as far as
Prometheus looks back.
"""

MAX_KEPT = 16
"""Versions that are gone and kept."""

Key = tuple[str, int]
"""A model's name, and a version's number."""

A = TypeVar("A", bound=np.generic)
T = TypeVar("T")


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
        self.predictions = Predictions()
        self._shadowed = [0, 0, 0]
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

    def count_shadowed(self, images: int, differing: int) -> None:
        """Count images that this version has classified after another has answered them."""
        with self._lock:
            self._shadowed[0] += images
            self._shadowed[1] += differing

    def count_skipped(self, images: int) -> None:
        """Count images that it should have classified too, and did not."""
        with self._lock:
            self._shadowed[2] += images

    def shadowed(self, place: int) -> Iterable[tuple[Values, float]]:
        """Yield one of the counts of these, unless this version is not a shadow."""
        if any(self._shadowed):
            yield (), self._shadowed[place]

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
    """The versions that are loaded, have not yet ended their last run, or have only just gone.

    Prometheus marks series that vanish as stale, and none of it is lost but what was counted after
    the last scrape: of a canary that was taken away because it fails, that is what matters. So a
    version that goes keeps its series for `KEPT_SECONDS`, and no longer, since each costs memory
    here and there for as long as the server runs.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._versions: dict[Key, VersionStats] = {}
        # When they went, those that went first before the others.
        self._gone: dict[Key, float] = {}
        self._clock = clock
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

    def load(self, model: Model) -> None:
        """Have the series of a version that is loaded; if it was gone, its counts begin anew."""
        key = model.name, model.version
        with self._lock:
            if self._gone.pop(key, None) is not None:
                del self._versions[key]
        self.stats(model)

    def retire(self, name: str, version: int) -> None:
        """Keep a version's series for a while yet."""
        with self._lock:
            if (name, version) in self._versions:
                self._gone[name, version] = self._clock()
            self._forget()

    def _forget(self) -> None:
        """Remove the series of what has been gone for long, or before many others; the caller holds
        the lock.
        """
        since, too_many = self._clock() - KEPT_SECONDS, len(self._gone) - MAX_KEPT
        for place, (key, gone_at) in enumerate(list(self._gone.items())):
            if place < too_many or gone_at <= since:
                del self._gone[key], self._versions[key]

    def sums(self) -> dict[Key, Sums]:
        """Return where the time of each loaded version's calls went."""
        with self._lock:
            loaded = {key: stats for key, stats in self._versions.items() if key not in self._gone}
        return {key: stats.predictions.sums() for key, stats in loaded.items()}

    def families(self, *labels: Label) -> list[MetricFamily]:
        """Return the families, each sample with these labels too."""
        with self._lock:
            self._forget()
            known = list(self._versions.items())
        versions = [((name, str(version)), stats) for (name, version), stats in known]
        for _, stats in versions:
            stats.flush()
        looks = [(version, Look(stats, stats.predictions.read())) for version, stats in versions]

        def rows(read: Callable[[Look], Iterable[tuple[Values, T]]]) -> Iterable[tuple[Values, T]]:
            return (
                ((*version, *values), found)
                for version, look in looks
                for values, found in read(look)
            )

        samples = [family.with_samples(rows(read), *labels) for family, read in SAMPLES.items()]
        histograms = [
            family.with_histograms(rows(read), *labels) for family, read in HISTOGRAMS.items()
        ]
        return samples + histograms


@dataclass(frozen=True, slots=True)
class Look:
    """A version's counts, and those of its predictions, which are read together."""

    stats: VersionStats
    predictions: Counted


SAMPLES: Mapping[MetricFamily, Callable[[Look], Iterable[tuple[Values, float]]]] = {
    metrics.PREDICTIONS: lambda look: [((code,), n) for code, n in look.predictions.codes.items()],
    metrics.IMAGES: lambda look: [((), look.stats.images)],
    metrics.PREDICTED_LABELS: lambda look: [
        ((name,), n) for name, n in look.stats.labels().items()
    ],
    metrics.DRIFT_IMAGES: lambda look: look.stats.drift(),
    metrics.DRIFT_REFERENCE: lambda look: look.stats.drift_reference(),
    metrics.SHADOW_IMAGES: lambda look: look.stats.shadowed(0),
    metrics.SHADOW_DIFFERING: lambda look: look.stats.shadowed(1),
    metrics.SHADOW_SKIPPED: lambda look: look.stats.shadowed(2),
}
HISTOGRAMS: Mapping[MetricFamily, Callable[[Look], Iterable[tuple[Values, Buckets]]]] = {
    metrics.PREDICTION_SECONDS: lambda look: [((), look.predictions.seconds)],
    metrics.STAGE_SECONDS: lambda look: [
        ((stage,), buckets) for stage, buckets in look.predictions.stages.items()
    ],
    metrics.RUN_CALLS: lambda look: [((), look.stats.run_calls.read())],
    metrics.RUN_IMAGES: lambda look: [((), look.stats.run_images.read())],
    metrics.WINNING_ACTIVATION: lambda look: [((), look.stats.distribution(WINNING))],
    metrics.MARGIN: lambda look: [((), look.stats.distribution(MARGIN))],
    metrics.INK: lambda look: [((), look.stats.distribution(INK))],
}
VERSIONS = Versions()
