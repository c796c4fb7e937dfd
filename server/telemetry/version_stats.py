"""What each version of a model has run, seen and said, and how far that is from its training set.

Looking at single images would cost more than running them: runs are kept until there are many.
"""

import functools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from server.telemetry.accumulators import Family, Label, Series, Tally, spell
from server.telemetry.model import Model

Batch = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]

ANSWERS, WINNING, MARGIN, INK = "labels", "winning_activation", "margin", "ink"

LABELS = ("model", "version")

RUN_SIZES = tuple(2.0**power for power in range(13))

KEPT_BYTES = 512 * 1024
"""Activations, and what goes with them, that a version keeps until they are looked at together."""

ENTRY_BYTES = 1024
"""What a run's arrays take beside their content."""

DISTRIBUTIONS = {
    WINNING: ("mlpserve_winning_activation", "The brightest output's activation, of each image."),
    MARGIN: ("mlpserve_margin", "The brightest activation less the second, of each image."),
    INK: ("mlpserve_ink", "The mean pixel of each image as the network has seen it."),
}


A = TypeVar("A", bound=np.generic)


def own(values: npt.NDArray[A]) -> npt.NDArray[A]:
    """Return an array that keeps no larger one in memory, as a part of one does."""
    base = values.base
    return values.copy() if isinstance(base, np.ndarray) and base.nbytes > values.nbytes else values


class Version:
    """The counts of one version; all methods may be called from any thread."""

    def __init__(self, model: Model) -> None:
        self.reference = model.reference
        self.label_names = model.labels
        self._n_pixels = model.n_pixels
        self.images = Tally()
        self.run_calls, self.run_images = Series(RUN_SIZES), Series(RUN_SIZES)
        self._seen = {of: Series(model.reference.bounds[of]) for of in DISTRIBUTIONS}
        self._bounds = {of: np.array(model.reference.bounds[of]) for of in DISTRIBUTIONS}
        self._labels = np.zeros(len(model.labels), np.int64)
        self._kept: list[tuple[Batch, Batch, Labels]] = []
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def count_run(self, calls: int, images: int) -> None:
        """Count a run of so many images, which answered so many calls."""
        self.run_calls.observe(calls)
        self.run_images.observe(images)

    def see(self, ink: Batch, activations: Batch, labels: Labels) -> None:
        """Take note of images, the sum of the pixels of each (N,), and the activations (N, classes)
        and the label (N,) that they got.
        """
        self.images.inc(len(ink))
        size = ink.nbytes + activations.nbytes + labels.nbytes + ENTRY_BYTES
        if size > KEPT_BYTES:
            rows = max(1, len(ink) * KEPT_BYTES // size)
            for begin in range(0, len(ink), rows):
                part = slice(begin, begin + rows)
                self._look_at([(ink[part], activations[part], labels[part])])
            return
        kept = own(ink), own(activations), own(labels)
        with self._lock:
            self._kept.append(kept)
            self._kept_bytes += size
            if self._kept_bytes < KEPT_BYTES:
                return
            taken = self._take()
        self._look_at(taken)

    def _take(self) -> list[tuple[Batch, Batch, Labels]]:
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        return kept

    def settle(self) -> None:
        """Look at what has been kept."""
        with self._lock:
            kept = self._take()
        if kept:
            self._look_at(kept)

    def _look_at(self, kept: Sequence[tuple[Batch, Batch, Labels]]) -> None:
        inks, rows, winners = zip(*kept, strict=True)
        ink, labels = np.concatenate(inks) / self._n_pixels, np.concatenate(winners)
        # Class by class, since NumPy looks for the largest of long rows many at a time.
        activations = np.concatenate(rows).T.copy()
        winning, second = activations.max(axis=0), np.zeros(len(labels), np.float32)
        if len(activations) > 1:
            activations[labels, np.arange(len(labels))] = -np.inf
            second = activations.max(axis=0)
        counts = np.bincount(labels, minlength=len(self._labels))
        with self._lock:
            self._labels += counts
        for of, values in ((WINNING, winning), (MARGIN, winning - second), (INK, ink)):
            bounds = self._bounds[of]
            binned = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
            self._seen[of].add(binned.tolist(), float(values.sum(dtype=np.float64)))

    def labels(self) -> Mapping[str, int]:
        """Return how often each label was the answer, by its name."""
        return dict(zip(self.label_names, self._labels.tolist(), strict=True))

    def bins(self, of: str) -> Mapping[str, int]:
        """Return how many images lie in each bin, by its name."""
        return self.labels() if of == ANSWERS else self._seen[of].bins()

    def distribution(self, of: str) -> Series:
        """Return the series of winning activations, margins or ink."""
        return self._seen[of]


class Versions:
    """The versions that are loaded, or have not yet ended their last run."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], Version] = {}
        self._lock = threading.Lock()

    def of(self, model: Model) -> Version:
        """Return the counts of a model's version, which exist from then on."""
        key = model.name, model.version
        with self._lock:
            version = self._versions.get(key)
            # The same number may be given to another file.
            if version is None or (version.reference, version.label_names) != (
                model.reference,
                model.labels,
            ):
                self._versions[key] = version = Version(model)
            return version

    def forget(self, name: str, number: int) -> None:
        """Remove a version's series."""
        self._versions.pop((name, number), None)

    def write(self, *labels: Label) -> list[Family]:
        """Return the families, each sample with these labels and its version's."""
        known: list[tuple[str, Version]] = []
        for (name, number), version in list(self._versions.items()):
            version.settle()
            known.append((spell((*labels, ("model", name), ("version", str(number)))), version))

        def family(
            kind: str, name: str, documentation: str, write: Callable[[Version, str], str]
        ) -> Family:
            lines = "".join(write(version, own) for own, version in known)
            return Family(name, kind, documentation, LABELS, lines)

        def binned(name: str, kind: str, documentation: str, lines: Iterable[str]) -> Family:
            return Family(name, kind, documentation, (*LABELS, "of", "bin"), "".join(lines))

        return [
            family(
                "counter",
                "mlpserve_images",
                "Images classified.",
                lambda version, own: version.images.write("mlpserve_images", own),
            ),
            family(
                "histogram",
                "mlpserve_run_calls",
                "Calls that a run of the model answered together.",
                lambda version, own: version.run_calls.write("mlpserve_run_calls", own),
            ),
            family(
                "histogram",
                "mlpserve_run_images",
                "Images that a run of the model classified together.",
                lambda version, own: version.run_images.write("mlpserve_run_images", own),
            ),
            Family(
                "mlpserve_predicted_labels",
                "counter",
                "Images that were given a label.",
                (*LABELS, "label"),
                "".join(
                    f"mlpserve_predicted_labels_total{{{own},{spell([('label', label)])}}} "
                    f"{count}\n"
                    for own, version in known
                    for label, count in version.labels().items()
                ),
            ),
            *(
                family("histogram", metric, documentation, functools.partial(_write, of, metric))
                for of, (metric, documentation) in DISTRIBUTIONS.items()
            ),
            binned(
                "mlpserve_drift_images",
                "counter",
                "Images by what was seen or said, in the bins of the model's reference.",
                (
                    f"mlpserve_drift_images_total{{{own},{spell([('of', of), ('bin', name)])}}} "
                    f"{count}\n"
                    for own, version in known
                    for of in (ANSWERS, *DISTRIBUTIONS)
                    for name, count in version.bins(of).items()
                ),
            ),
            binned(
                "mlpserve_drift_reference_ratio",
                "gauge",
                "The share of the training images in each bin, as the model's file tells.",
                (
                    f"mlpserve_drift_reference_ratio{{{own},{spell([('of', of), ('bin', name)])}}} "
                    f"{share}\n"
                    for own, version in known
                    for of, shares in version.reference.shares.items()
                    for name, share in shares.items()
                ),
            ),
        ]


def _write(of: str, metric: str, version: Version, labels: str) -> str:
    return version.distribution(of).write(metric, labels)
