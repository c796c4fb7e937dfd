"""Canary and stable are told apart: their calls, errors, latency and time in each stage."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import numpy as np
import pytest

from harness.calls import ask, infer_request, predict
from harness.scrape import growth, samples, total
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from modelfile.reference import UNMEASURED
from server import errors
from server.rpc.status import status_of
from server.telemetry.codes import code_of
from server.telemetry.metrics import COMMON_CODES, LATENCY_BUCKETS, STAGES
from server.telemetry.model import Model
from server.telemetry.predictions import MAX_WAITING_CALLS, Predictions
from server.telemetry.version_stats import KEPT_SECONDS, MAX_KEPT, Versions
from tests.server.versions import IMAGE, publish

STABLE, CANARY = {"model": "small", "version": "1"}, {"model": "small", "version": "2"}
STREAM = "/mlpserve.v1.Classifier/PredictStream"
PIXELS = IMAGE.ravel()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, lane: bool) -> Iterator[ServerProcess]:
    """A server of two versions, the second of which is the canary."""
    repository = tmp_path_factory.mktemp("models")
    for version in (1, 2):
        publish(repository, version)
    settings = ("--versions", "latest 2", "--labels", "small: stable 1, canary 2")
    with start_server(repository, *settings, *mode(lane)) as running:
        yield running


def test_versions_are_told_apart(server: ServerProcess) -> None:
    infer = infer_request(IMAGE, model="small", version="2")
    stream = [
        PredictRequest(label="canary", pixels=PIXELS).SerializeToString(),
        PredictRequest(label="stable", pixels=PIXELS).SerializeToString(),
        PredictRequest(label="canary", pixels=[0.5] * 3).SerializeToString(),
    ]
    with grpc.insecure_channel(server.grpc_address) as channel, growth(server) as grown:
        for _ in range(5):
            predict(channel, PredictRequest(label="stable", pixels=PIXELS))
        for images in (1, 2, 3):
            predict(channel, PredictRequest(label="canary", pixels=np.tile(PIXELS, images)))
        ask(channel, "ModelInfer", infer, protocol.ModelInferResponse)
        for bad in ([0.5] * 3, [], [np.nan] * 4):
            with pytest.raises(grpc.RpcError):
                predict(channel, PredictRequest(label="canary", pixels=bad))
        streaming: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(STREAM)
        assert len(list(streaming(iter(stream), timeout=60))) == 3
    for version, answered, failed, images in ((STABLE, 6, 0, 6), (CANARY, 5, 4, 8)):
        codes = {"OK": answered, "InvalidArgument": failed}
        for code in COMMON_CODES:
            assert grown("mlpserve_predictions_total", grpc_code=code, **version) == codes.get(
                code, 0
            )
        assert grown("mlpserve_prediction_seconds_count", **version) == answered + failed
        assert grown("mlpserve_images_total", **version) == images
        in_stages = 0.0
        for stage in STAGES:
            assert grown("mlpserve_stage_seconds_count", stage=stage, **version) == answered
            in_stages += grown("mlpserve_stage_seconds_sum", stage=stage, **version)
        whole = grown("mlpserve_prediction_seconds_sum", **version)
        # A float of the page has as many digits as it needs, but each sum is rounded.
        assert 0 < in_stages <= whole + 1e-9


def test_labels_of_versions_are_told(server: ServerProcess) -> None:
    told = {
        dict(labels)["version_label"]: dict(labels)["version"]
        for name, labels in samples(server)
        if name == "mlpserve_version_label_info"
    }
    assert told == {"stable": "1", "canary": "2"}


def test_each_error_has_the_code_that_its_call_ends_with() -> None:
    kinds = errors.RequestError.__subclasses__()
    assert len(kinds) >= 9
    for kind in kinds:
        more = ("pixels",) if kind is errors.InvalidField else ()
        error = kind("internal", "message", *more)
        assert status_of(error).code is code_of(error) is not grpc.StatusCode.INTERNAL
    assert status_of(ValueError()).code is code_of(ValueError()) is grpc.StatusCode.INTERNAL


class Timed:
    def __init__(self, begin: float, waiting_since: float) -> None:
        self.begin, self.waiting_since = begin, waiting_since


@pytest.mark.parametrize("together", [1, 2, 64])
def test_each_duration_is_in_its_bucket(together: int) -> None:
    random = np.random.default_rng(together)
    predictions = Predictions()
    expected: dict[str, list[float]] = {stage: [] for stage in (*STAGES, "whole")}
    now = 100.0
    for _ in range(3 * MAX_WAITING_CALLS // together):
        decode, queue, run, encode = 10 ** random.uniform(-5, -1, 4)
        # Each on a bound now and then.
        run = random.choice([run, *LATENCY_BUCKETS[:3]])
        begins = now - decode - queue - random.uniform(0, 1e-3, together)
        waits = begins + decode
        calls = [Timed(*times) for times in zip(begins.tolist(), waits.tolist(), strict=True)]
        ran = now + run
        encoded = ran + encode
        predictions.count_run(calls, together, together, (now, ran, encoded))
        expected["decode"] += (waits - begins).tolist()
        expected["queue"] += (now - waits).tolist()
        expected["run"] += [ran - now] * together
        expected["encode"] += [encoded - ran] * together
        expected["whole"] += (encoded - begins).tolist()
        now = encoded
    counted = predictions.read()
    for name, buckets in {**counted.stages, "whole": counted.seconds}.items():
        values = np.array(expected[name])
        below = [int((values <= bound).sum()) for bound in LATENCY_BUCKETS]
        assert buckets.counts == [*below, len(values)]
        assert buckets.total == pytest.approx(values.sum())
    assert counted.codes["OK"] == len(expected["whole"])


def test_what_waits_to_be_sorted_is_bounded() -> None:
    predictions = Predictions()
    for _ in range(100):
        predictions.count_run([Timed(0.0, 0.0)] * 64, 64, 64, (0.0, 1.0, 1.0))
        assert sum(len(run[2]) for run in predictions._waiting) <= MAX_WAITING_CALLS


def small(version: int, *labels: str) -> Model:
    fake = SimpleNamespace(
        name="small", version=version, labels=labels, n_pixels=4, reference=UNMEASURED
    )
    return cast(Model, fake)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def shown(versions: Versions) -> set[str]:
    """The versions whose predictions are on the page."""
    (family,) = (one for one in versions.families() if one.name == "mlpserve_predictions")
    lines = family.lines.decode().splitlines()
    return {line.split('version="')[1].split('"')[0] for line in lines}


def test_a_version_that_goes_keeps_its_counts_for_a_while() -> None:
    clock = Clock()
    versions = Versions(clock)
    for version in (1, 2):
        versions.load(small(version))
    versions.stats(small(2)).predictions.count_failure(time.perf_counter(), "Internal")
    versions.retire("small", 2)
    clock.now += KEPT_SECONDS / 2
    assert shown(versions) == {"1", "2"}
    # Its last calls still count, but it is not one of those asked for.
    versions.stats(small(2)).predictions.count_failure(time.perf_counter(), "Internal")
    assert versions.stats(small(2)).predictions.read().codes["Internal"] == 2
    assert versions.sums().keys() == {("small", 1)}
    clock.now += KEPT_SECONDS / 2
    assert shown(versions) == {"1"}
    assert not versions._gone


def test_a_version_that_comes_back_counts_anew_and_stays() -> None:
    clock = Clock()
    versions = Versions(clock)
    versions.load(small(1))
    versions.stats(small(1)).predictions.count_failure(time.perf_counter(), "Internal")
    versions.retire("small", 1)
    versions.load(small(1))
    assert versions.stats(small(1)).predictions.read().codes["Internal"] == 0
    clock.now += 2 * KEPT_SECONDS
    assert shown(versions) == {"1"}


def test_versions_that_are_gone_are_bounded_though_nobody_looks() -> None:
    versions = Versions(Clock())
    for version in range(1, 3 * MAX_KEPT):
        versions.load(small(version))
        versions.retire("small", version)
        assert len(versions._versions) <= MAX_KEPT + 1
    assert ("small", 3 * MAX_KEPT - 1) in versions._versions
    assert ("small", 1) not in versions._versions


def test_what_was_never_loaded_is_not_retired() -> None:
    versions = Versions(Clock())
    versions.retire("small", 1)
    assert not versions._gone


def test_an_unloaded_version_is_still_on_the_page(tmp_path: Path) -> None:
    for version in (1, 2):
        publish(tmp_path, version)
    with (
        start_server(tmp_path, "--versions", "latest 2") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        predict(channel, PredictRequest(version=1, pixels=PIXELS))
        publish(tmp_path, 3)

        def loaded() -> set[str]:
            found: Any = samples(server)
            return {dict(own)["version"] for name, own in found if name == "mlpserve_model_info"}

        wait_for(lambda: loaded() == {"2", "3"})
        found = samples(server)
        ok = {"grpc_code": "OK", **STABLE}
        assert total(found, "mlpserve_predictions_total", **ok) == 1
        assert total(found, "mlpserve_images_total", **STABLE) == 1
