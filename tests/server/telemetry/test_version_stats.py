"""What the model sees and says is counted as NumPy counts it, and drift can be told from that."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from exporter import network
from exporter.network.network import Batch
from harness.calls import predict
from harness.scrape import by_label, value
from harness.server_process import ServerProcess
from mlpserve.v1.classifier_pb2 import PredictRequest
from modelfile.reference import DEFAULT_BOUNDS, UNMEASURED
from server.telemetry import version_stats

ROOT = Path(__file__).parents[3]
MODEL = {"model": "digits", "version": "1"}
METRICS = {
    "winning_activation": "mlpserve_winning_activation",
    "margin": "mlpserve_margin",
    "ink": "mlpserve_ink",
}
FLOOR = 1e-4


def send(server: ServerProcess, images: Batch, at_once: int) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        for begin in range(0, len(images), at_once):
            pixels = images[begin : begin + at_once].ravel()
            assert predict(channel, PredictRequest(pixels=pixels)).labels


def seen(server: ServerProcess, of: str) -> Counter[str]:
    """The images counted so far, by the bins of a drift metric."""
    return by_label(server, "mlpserve_drift_images_total", "bin", of=of)


def stability_index(server: ServerProcess, of: str, before: Counter[str]) -> float:
    """Compute the Population Stability Index since then, as the recording rule does."""
    now = seen(server, of)
    counts = {name: now[name] - before[name] for name in now}
    reference = by_label(server, "mlpserve_drift_reference_ratio", "bin", of=of)
    assert counts.keys() == reference.keys()
    p = np.maximum(np.array(list(counts.values())) / sum(counts.values()), FLOOR)
    q = np.maximum(np.array([reference[name] for name in counts]), FLOOR)
    return float(((p - q) * np.log(p / q)).sum())


@pytest.mark.parametrize("at_once", [1, 300])
def test_what_is_seen_and_said_is_counted(
    server: ServerProcess, digits: tuple[Batch, Batch], at_once: int
) -> None:
    images = digits[0][:300]
    said = network.load(ROOT / "exporter" / "weights" / "digits.npz").network.forward(images)[-1]
    ordered = np.sort(said, axis=1)
    exact = {
        "winning_activation": ordered[:, -1],
        "margin": ordered[:, -1] - ordered[:, -2],
        "ink": images.mean(axis=1),
    }

    def look() -> tuple[Counter[str], dict[str, Counter[str]], dict[str, float]]:
        return (
            by_label(server, "mlpserve_predicted_labels_total", "label", **MODEL),
            {of: by_label(server, f"{METRICS[of]}_bucket", "le", **MODEL) for of in exact},
            {of: value(server, f"{METRICS[of]}_sum", **MODEL) for of in exact},
        )

    labels_before, counts_before, sums_before = look()
    send(server, images, at_once)
    labels, counts, sums = look()
    labels.subtract(labels_before)
    assert [labels[str(label)] for label in range(10)] == np.bincount(
        said.argmax(axis=1), minlength=10
    ).tolist()
    for of, values in exact.items():
        counts[of].subtract(counts_before[of])
        for bound in DEFAULT_BOUNDS[of]:
            # An activation may lie so near a bound that float32 decides.
            near = int((np.abs(values - bound) < 1e-5).sum())
            assert abs(counts[of][str(bound)] - (values <= bound).sum()) <= near
        assert counts[of]["+Inf"] == len(images)
        assert sums[of] - sums_before[of] == pytest.approx(values.sum(dtype=np.float64), rel=1e-4)


def test_bad_images_are_not_counted_among_the_seen(server: ServerProcess) -> None:
    def counts() -> list[float]:
        names = ("mlpserve_ink_count", "mlpserve_images_total")
        return [value(server, name, **MODEL) for name in names]

    before = counts()
    with pytest.raises(grpc.RpcError, match="pixel 0 is nan"):
        send(server, np.full((1, 784), np.nan, np.float32), 1)
    assert counts() == before


def test_drift_can_be_told(server: ServerProcess, digits: tuple[Batch, Batch]) -> None:
    images = digits[0][:2000]
    for of in ("labels", *METRICS):
        shares = by_label(server, "mlpserve_drift_reference_ratio", "bin", of=of)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)

    def drift_of(batch: Batch) -> dict[str, float]:
        before = {of: seen(server, of) for of in ("labels", *METRICS)}
        send(server, batch, 500)
        return {of: stability_index(server, of, before[of]) for of in before}

    usual, inverted = drift_of(images), drift_of(1 - images)
    assert max(usual.values()) < 0.1, usual
    assert min(inverted.values()) > 0.25, inverted


def version_of(classes: int) -> version_stats.VersionStats:
    labels = tuple(map(str, range(classes)))
    model = SimpleNamespace(reference=UNMEASURED, labels=labels, n_pixels=4, name="m", version=1)
    return version_stats.VersionStats(model)


def kept_bytes(version: version_stats.VersionStats) -> int:
    """What a version keeps, whole arrays where it keeps parts of them."""
    arrays = [array for entry in version._kept for array in entry]
    owners = {id(a): a for a in (a if a.base is None else a.base for a in arrays)}
    return sum(owner.nbytes for owner in owners.values())


def test_sums_that_overflow_spoil_no_histogram() -> None:
    version = version_of(2)
    huge = np.finfo(np.float32).max
    ink = np.array([1, np.inf, -np.inf, np.nan], np.float32)
    activations = np.array([[0.5, 0.25], [huge, -huge], [0, 1], [-huge, huge]], np.float32)
    version.observe(ink, activations, np.array([0, 0, 1, 1]))
    version.flush()
    for of in version_stats.DISTRIBUTIONS:
        buckets = version.distribution(of)
        assert buckets.counts[-1] == 4
        assert np.isfinite(buckets.total)
    assert version.labels() == {"0": 2, "1": 2}


@pytest.mark.parametrize("classes", [1, 10, 10_000])
@pytest.mark.parametrize("images", [1, 300])
def test_what_is_kept_is_bounded_by_bytes(classes: int, images: int) -> None:
    version = version_of(classes)
    random = np.random.default_rng(classes)
    fed = []
    for _ in range(max(3, 1500 // images)):
        # Parts of larger arrays, as when some calls of a run are refused.
        activations = random.random((2 * images, classes), np.float32)[:images]
        ink = random.random(2 * images, np.float32)[:images]
        labels = np.concatenate([activations.argmax(axis=1)] * 2)[:images]
        version.observe(ink, activations, labels)
        assert kept_bytes(version) <= version_stats.KEPT_BYTES
        fed.append((ink, activations, labels))
        if sum(len(labels) for *_, labels in fed) * classes > 2_000_000:
            break
    version.flush()
    assert kept_bytes(version) == 0
    ink, activations, labels = (np.concatenate(those) for those in zip(*fed, strict=True))
    assert list(version.labels().values()) == np.bincount(labels, minlength=classes).tolist()
    ordered = np.sort(activations, axis=1)
    second = ordered[:, -2] if classes > 1 else np.zeros(len(ordered), np.float32)
    for of, values in (
        ("winning_activation", ordered[:, -1]),
        ("margin", ordered[:, -1] - second),
        ("ink", ink / 4),
    ):
        buckets = version.distribution(of)
        bounds = version.reference.bounds[of]
        assert buckets.counts == [*((values <= bound).sum() for bound in bounds), len(values)]
        assert buckets.total == pytest.approx(values.sum(dtype=np.float64), rel=1e-5)
