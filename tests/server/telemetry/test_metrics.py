"""What Prometheus reads after known calls."""

import contextlib
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf import descriptor_pool

from harness.calls import predict, predict_method
from harness.scrape import Samples, growth, samples, value
from harness.server_process import ROOT, ServerProcess, environment, mode, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.reasons.requests import REQUESTS
from server.rpc import classifier, health, inference
from server.telemetry.accumulators import HotHistogram
from server.telemetry.metrics import COMMON_CODES, LATENCY_BUCKETS, STAGES
from tests import generate_metrics_page
from tests.server.faults import SLOW, Runs

SERVICES = [
    descriptor_pool.Default().FindServiceByName(name)
    for name in (classifier.SERVICE, inference.SERVICE, health.NAME)
]
HELD_SECONDS = 0.2
PREDICT = {"grpc_type": "unary", "grpc_service": "mlpserve.v1.Classifier", "grpc_method": "Predict"}


@dataclass(frozen=True, slots=True)
class Counted:
    """A server, a connection to it, and what it counted before its first call."""

    server: ServerProcess
    channel: grpc.Channel
    first: Samples

    def growth(self) -> contextlib.AbstractContextManager[Callable[..., float]]:
        return growth(self.server)


@pytest.fixture(scope="module")
def counted(models: Path, runs: Runs, lane: bool) -> Iterator[Counted]:
    arguments = ("--default-model", "digits")
    with (
        start_server(models, *arguments, *mode(lane), **runs.variables) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        yield Counted(server, channel, samples(server))


def test_every_call_is_counted_once(counted: Counted) -> None:
    with counted.growth() as grown:
        for images in (1, 2, 3, 4):
            predict(counted.channel, PredictRequest(pixels_u8=bytes(784 * images)))
        for _ in range(3):
            with pytest.raises(grpc.RpcError):
                predict(counted.channel, PredictRequest())
    assert grown("grpc_server_started_total", **PREDICT) == 7
    assert grown("grpc_server_handled_total", **PREDICT) == 7
    assert grown("grpc_server_handled_total", **PREDICT, grpc_code="OK") == 4
    assert grown("grpc_server_handled_total", **PREDICT, grpc_code="InvalidArgument") == 3
    assert grown("grpc_server_handling_seconds_count", **PREDICT) == 7
    assert grown("grpc_server_handling_seconds_sum", **PREDICT) > 0
    assert grown("mlpserve_images_total", model="digits", version="1") == 10
    assert grown("mlpserve_rejected_requests_total", reason="no_pixels") == 3


def test_model_and_process_are_described(server: ServerProcess) -> None:
    found = samples(server)
    (info,) = (dict(labels) for name, labels in found if name == "mlpserve_model_info")
    assert info | {"weights_sha256": ""} == {
        "model": "digits",
        "version": "1",
        "layer_sizes": "784-16-16-10",
        "parameters": "13002",
        "weights_sha256": "",
    }
    assert len(info["weights_sha256"]) == 64
    assert value(server, "process_resident_memory_bytes") > 0
    assert not [name for name, _ in found if name.endswith("_created")]


def test_open_metrics_on_request(server: ServerProcess) -> None:
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    answer = httpx.get(f"http://{server.http_address}/metrics", headers=accept, timeout=60)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_buckets_are_fine_where_answers_lie() -> None:
    inside = [bound for bound in LATENCY_BUCKETS if 1e-4 <= bound <= 1e-2]
    assert max(upper / lower for lower, upper in pairwise(inside)) <= 1.21
    assert list(LATENCY_BUCKETS) == sorted(set(LATENCY_BUCKETS))
    assert (LATENCY_BUCKETS[0], LATENCY_BUCKETS[-1]) == (5e-5, 10.0)


def test_everything_known_is_there_at_zero(counted: Counted) -> None:
    found = counted.first
    for service in SERVICES:
        for method in service.methods:
            known = {"grpc_service": service.full_name, "grpc_method": method.name}
            for code in COMMON_CODES:
                assert _one(found, "grpc_server_handled_total", grpc_code=code, **known) == 0
            for name in ("started_total", "msg_received_total", "msg_sent_total"):
                assert _one(found, f"grpc_server_{name}", **known) == 0
            assert _one(found, "grpc_server_calls_in_progress", **known) == 0
    for reason in REQUESTS:
        assert _one(found, "mlpserve_rejected_requests_total", reason=reason) == 0
    digits = {"model": "digits", "version": "1"}
    for stage in STAGES:
        assert _one(found, "mlpserve_stage_seconds_count", stage=stage, **digits) == 0
    for code in COMMON_CODES:
        assert _one(found, "mlpserve_predictions_total", grpc_code=code, **digits) == 0
    for label in range(10):
        assert _one(found, "mlpserve_predicted_labels_total", label=str(label), **digits) == 0


def _one(found: Samples, name: str, **labels: str) -> float:
    (value,) = (
        value
        for (known, own), value in found.items()
        if known == name and labels.items() <= dict(own).items()
    )
    return value


def test_callers_add_no_series(counted: Counted) -> None:
    channel, other = counted.channel, {"grpc_service": "other", "grpc_method": "other"}
    # A code that is not common comes with the first call that ends so.
    call_unknown(channel, 0)
    before = samples(counted.server).keys()
    with counted.growth() as grown:
        for number in range(1, 51):
            call_unknown(channel, number)
    assert samples(counted.server).keys() == before
    assert grown("grpc_server_started_total", **other) == 50


def call_unknown(channel: grpc.Channel, number: int) -> None:
    """Ask for a method, a model, a version and a label that there are not."""
    unknown: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    unknown = channel.unary_unary(f"/mlpserve.v1.Classifier/Method{number}")
    with pytest.raises(grpc.RpcError) as caught:
        unknown(b"", timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    for request in (
        PredictRequest(model=f"model{number}", pixels_u8=bytes(784)),
        PredictRequest(version=number + 7, pixels_u8=bytes(784)),
        PredictRequest(label=f"label{number}", pixels_u8=bytes(784)),
        PredictRequest(pixels_u8=bytes(number)),
    ):
        with pytest.raises(grpc.RpcError):
            predict(channel, request)


def test_messages_are_counted(counted: Counted) -> None:
    message = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
    with counted.growth() as grown:
        for _ in range(3):
            predict(counted.channel, PredictRequest(pixels_u8=bytes(784)))
        with pytest.raises(grpc.RpcError):
            predict(counted.channel, PredictRequest(pixels_u8=bytes(7)))
        stream: grpc.StreamStreamMultiCallable[bytes, bytes]
        stream = counted.channel.stream_stream("/mlpserve.v1.Classifier/PredictStream")
        assert len(list(stream(iter([message] * 5), timeout=60))) == 5
    assert grown("grpc_server_msg_received_total", **PREDICT) == 4
    assert grown("grpc_server_msg_sent_total", **PREDICT) == 3
    streamed = {"grpc_method": "PredictStream", "grpc_type": "bidi_stream"}
    assert grown("grpc_server_msg_received_total", **streamed) == 5
    assert grown("grpc_server_msg_sent_total", **streamed) == 5


def test_no_second_of_a_call_is_counted_twice(counted: Counted, runs: Runs) -> None:
    request = PredictRequest(model=SLOW, pixels_u8=bytes(784)).SerializeToString()
    with counted.growth() as grown:
        with runs.held():
            slow = predict_method(counted.channel).future(request, timeout=60)
            runs.wait_until_begun()
            time.sleep(HELD_SECONDS)
        assert slow.result().labels
    stages = {stage: grown("mlpserve_stage_seconds_sum", stage=stage) for stage in STAGES}
    assert {grown("mlpserve_stage_seconds_count", stage=stage) for stage in STAGES} == {1}
    whole = grown("grpc_server_handling_seconds_sum", **PREDICT)
    assert HELD_SECONDS <= stages["run"] <= sum(stages.values()) <= whole


@pytest.mark.parametrize("median_seconds", [1.3e-4, 3e-4, 1e-3, 2.5e-3, 6e-3])
@pytest.mark.parametrize("spread", [0.05, 0.3, 0.8])
def test_quantiles_read_from_the_buckets_are_near(median_seconds: float, spread: float) -> None:
    random = np.random.default_rng(0)
    values = median_seconds * np.exp(spread * random.standard_normal(20_000))
    histogram = HotHistogram(LATENCY_BUCKETS)
    histogram.observe_all(values.tolist())
    buckets = histogram.read()
    assert buckets.total == pytest.approx(values.sum())
    for share in (0.5, 0.9, 0.99, 0.999):
        exact = float(np.quantile(values, share))
        if 1e-4 <= exact <= 1e-2:
            found = histogram_quantile(share, LATENCY_BUCKETS, buckets.counts)
            assert abs(found / exact - 1) <= 0.2


def histogram_quantile(share: float, bounds: Sequence[float], counts: Sequence[int]) -> float:
    """Read a quantile off the buckets as Prometheus does: as if values lay evenly in each."""
    rank = share * counts[-1]
    index = bisect_left(counts, rank)
    begin, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0)
    return begin + (bounds[index] - begin) * (rank - below) / (counts[index] - below)


@pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_the_library_never_counts_in_files(tmp_path: Path, name: str) -> None:
    program = """
from server.telemetry import metrics, scrape
metrics.MODEL_LOADS.labels("digits").inc()
metrics.MODEL_LOADS.remove("digits")
metrics.MODEL_LOADS.labels("digits").inc()
lines = b"".join(family.lines for family in scrape.families())
assert b'mlpserve_model_loads_total{model="digits"} 1.0' in lines
"""
    folder = tmp_path / "missing"
    given = environment(**{name: str(folder)})
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=given, check=True)
    assert not folder.exists()


def test_the_page_about_metrics_is_current() -> None:
    assert generate_metrics_page.PAGE.read_text() == generate_metrics_page.page(), (
        "run `.venv/bin/python -m tests.generate_metrics_page`"
    )
