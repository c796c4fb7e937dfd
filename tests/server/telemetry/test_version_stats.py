"""What the model sees and says is counted as NumPy counts it, and drift can be told from that."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from exporter import network
from exporter.network.network import Batch
from harness.calls import predict
from harness.scrape import families, value
from harness.server_process import ServerProcess, start_server
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


def binned(server: ServerProcess, name: str, key: str, **labels: str) -> Mapping[str, float]:
    return {
        sample.labels[key]: sample.value
        for family in families(server)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def stability_index(server: ServerProcess, of: str) -> float:
    """Compute the Population Stability Index as the recording rule does."""
    seen = binned(server, "mlpserve_drift_images_total", "bin", of=of)
    reference = binned(server, "mlpserve_drift_reference_ratio", "bin", of=of)
    assert seen.keys() == reference.keys()
    p = np.maximum(np.array(list(seen.values())) / sum(seen.values()), FLOOR)
    q = np.maximum(np.array([reference[name] for name in seen]), FLOOR)
    return float(((p - q) * np.log(p / q)).sum())


@pytest.mark.parametrize("at_once", [1, 300])
def test_what_is_seen_and_said_is_counted(
    repository: Path, digits: tuple[Batch, Batch], at_once: int
) -> None:
    images = digits[0][:300]
    said = network.load(ROOT / "exporter" / "weights" / "digits.npz").network.forward(images)[-1]
    ordered = np.sort(said, axis=1)
    exact = {
        "winning_activation": ordered[:, -1],
        "margin": ordered[:, -1] - ordered[:, -2],
        "ink": images.mean(axis=1),
    }
    with start_server(repository) as server:
        send(server, images, at_once)
        labels = binned(server, "mlpserve_predicted_labels_total", "label", **MODEL)
        assert [labels[str(label)] for label in range(10)] == np.bincount(
            said.argmax(axis=1), minlength=10
        ).tolist()
        for of, values in exact.items():
            counts = binned(server, f"{METRICS[of]}_bucket", "le", **MODEL)
            for bound in DEFAULT_BOUNDS[of]:
                # An activation may lie so near a bound that float32 decides.
                near = int((np.abs(values - bound) < 1e-5).sum())
                assert abs(counts[str(bound)] - (values <= bound).sum()) <= near
            assert counts["+Inf"] == len(images)
            assert value(server, f"{METRICS[of]}_sum", **MODEL) == pytest.approx(
                values.sum(dtype=np.float64), rel=1e-4
            )


def test_bad_images_are_not_counted_among_the_seen(repository: Path) -> None:
    bad = np.full((1, 784), np.nan, np.float32)
    with start_server(repository) as server:
        with pytest.raises(grpc.RpcError, match="pixel 0 is nan"):
            send(server, bad, 1)
        assert value(server, "mlpserve_ink_count", **MODEL) == 0
        assert value(server, "mlpserve_images_total", **MODEL) == 0


def test_drift_can_be_told(repository: Path, digits: tuple[Batch, Batch]) -> None:
    images = digits[0][:2000]
    with start_server(repository) as server:
        for of in ("labels", *METRICS):
            shares = binned(server, "mlpserve_drift_reference_ratio", "bin", of=of)
            assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        send(server, images, 500)
        usual = {of: stability_index(server, of) for of in ("labels", *METRICS)}
    assert max(usual.values()) < 0.1, usual
    with start_server(repository) as server:
        send(server, 1 - images, 500)
        inverted = {of: stability_index(server, of) for of in ("labels", *METRICS)}
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


@pytest.mark.parametrize("classes", [1, 10, 10_000])
@pytest.mark.parametrize("images", [1, 300])
def test_what_is_kept_is_bounded_by_bytes(classes: int, images: int) -> None:
    version = version_of(classes)
    random = np.random.default_rng(classes)
    seen = []
    for _ in range(max(3, 1500 // images)):
        # Parts of larger arrays, as when some calls of a run are refused.
        activations = random.random((2 * images, classes), np.float32)[:images]
        ink = random.random(2 * images, np.float32)[:images]
        labels = np.concatenate([activations.argmax(axis=1)] * 2)[:images]
        version.observe(ink, activations, labels)
        assert kept_bytes(version) <= version_stats.KEPT_BYTES
        seen.append((ink, activations, labels))
        if sum(len(labels) for *_, labels in seen) * classes > 2_000_000:
            break
    version.flush()
    assert kept_bytes(version) == 0
    ink, activations, labels = (np.concatenate(those) for those in zip(*seen, strict=True))
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
