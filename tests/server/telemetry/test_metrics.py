"""What Prometheus reads after known calls."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf import descriptor_pool

from harness.calls import predict
from harness.scrape import samples, value
from harness.server_process import start_server
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import REASONS
from server.rpc import classifier, health, inference
from server.telemetry.accumulators import HotHistogram
from server.telemetry.metrics import COMMON_CODES, LATENCY_BUCKETS, STAGES
from tests import generate_metrics_page

pytestmark = pytest.mark.both_modes

SERVICES = [
    descriptor_pool.Default().FindServiceByName(name)
    for name in (classifier.SERVICE, inference.SERVICE, health.NAME)
]
PREDICT = {"grpc_type": "unary", "grpc_service": "mlpserve.v1.Classifier", "grpc_method": "Predict"}


def test_every_call_is_counted_once(repository: Path) -> None:
    with start_server(repository) as server, grpc.insecure_channel(server.grpc_address) as channel:
        for images in (1, 2, 3, 4):
            predict(channel, PredictRequest(pixels_u8=bytes(784 * images)))
        for _ in range(3):
            with pytest.raises(grpc.RpcError):
                predict(channel, PredictRequest())
        assert value(server, "grpc_server_started_total", **PREDICT) == 7
        assert value(server, "grpc_server_handled_total", **PREDICT) == 7
        assert value(server, "grpc_server_handled_total", **PREDICT, grpc_code="OK") == 4
        assert (
            value(server, "grpc_server_handled_total", **PREDICT, grpc_code="InvalidArgument") == 3
        )
        assert value(server, "grpc_server_handling_seconds_count", **PREDICT) == 7
        assert 0 < value(server, "grpc_server_handling_seconds_sum", **PREDICT) < 7
        assert value(server, "mlpserve_images_total", model="digits", version="1") == 10
        assert value(server, "mlpserve_rejected_requests_total", reason="no_pixels") == 3
    stopped = server.wait_for("stopped")
    assert (stopped["calls_started"], stopped["calls_handled"]) == (7, 7)


def test_model_and_process_are_described(repository: Path) -> None:
    with start_server(repository) as server:
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


def test_open_metrics_on_request(repository: Path) -> None:
    with start_server(repository) as server:
        accept = {"accept": "application/openmetrics-text; version=1.0.0"}
        answer = httpx.get(f"http://{server.http_address}/metrics", headers=accept)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


def test_buckets_are_fine_where_answers_lie() -> None:
    inside = [bound for bound in LATENCY_BUCKETS if 1e-4 <= bound <= 1e-2]
    assert max(upper / lower for lower, upper in pairwise(inside)) <= 1.21
    assert list(LATENCY_BUCKETS) == sorted(set(LATENCY_BUCKETS))
    assert (LATENCY_BUCKETS[0], LATENCY_BUCKETS[-1]) == (5e-5, 10.0)


def test_everything_known_is_there_at_zero(repository: Path) -> None:
    with start_server(repository) as server:
        found = samples(server)
        for service in SERVICES:
            for method in service.methods:
                known = {"grpc_service": service.full_name, "grpc_method": method.name}
                for code in COMMON_CODES:
                    assert _one(found, "grpc_server_handled_total", grpc_code=code, **known) == 0
                for name in ("started_total", "msg_received_total", "msg_sent_total"):
                    assert _one(found, f"grpc_server_{name}", **known) == 0
                assert _one(found, "grpc_server_calls_in_progress", **known) == 0
        for reason in REASONS:
            assert _one(found, "mlpserve_rejected_requests_total", reason=reason) == 0
        for stage in STAGES:
            assert _one(found, "mlpserve_stage_seconds_count", stage=stage) == 0
        for label in range(10):
            assert _one(found, "mlpserve_predicted_labels_total", label=str(label)) == 0


def _one(
    found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str
) -> float:
    (value,) = (
        value
        for (known, own), value in found.items()
        if known == name and labels.items() <= dict(own).items()
    )
    return value


def test_callers_add_no_series(repository: Path) -> None:
    with start_server(repository) as server, grpc.insecure_channel(server.grpc_address) as channel:
        before = samples(server).keys()
        for number in range(50):
            unknown: grpc.UnaryUnaryMultiCallable[bytes, bytes]
            unknown = channel.unary_unary(f"/mlpserve.v1.Classifier/Method{number}")
            with pytest.raises(grpc.RpcError) as caught:
                unknown(b"", timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            for request in (
                PredictRequest(model=f"model{number}", pixels_u8=bytes(784)),
                PredictRequest(version=number + 7, pixels_u8=bytes(784)),
                PredictRequest(label=f"label{number}", pixels_u8=bytes(784)),
                PredictRequest(pixels_u8=bytes(number)),
            ):
                with pytest.raises(grpc.RpcError):
                    predict(channel, request)
        added = samples(server).keys() - before
        # One code that is not common came with the first call that ended so.
        assert [dict(labels).get("grpc_code") for _, labels in added] == ["Unimplemented"]
        other = {"grpc_service": "other", "grpc_method": "other"}
        assert value(server, "grpc_server_started_total", **other) == 50


def test_messages_are_counted(repository: Path) -> None:
    message = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
    with start_server(repository) as server, grpc.insecure_channel(server.grpc_address) as channel:
        for _ in range(3):
            predict(channel, PredictRequest(pixels_u8=bytes(784)))
        with pytest.raises(grpc.RpcError):
            predict(channel, PredictRequest(pixels_u8=bytes(7)))
        stream: grpc.StreamStreamMultiCallable[bytes, bytes]
        stream = channel.stream_stream("/mlpserve.v1.Classifier/PredictStream")
        assert len(list(stream(iter([message] * 5), timeout=30))) == 5
        assert value(server, "grpc_server_msg_received_total", **PREDICT) == 4
        assert value(server, "grpc_server_msg_sent_total", **PREDICT) == 3
        streamed = {"grpc_method": "PredictStream", "grpc_type": "bidi_stream"}
        assert value(server, "grpc_server_msg_received_total", **streamed) == 5
        assert value(server, "grpc_server_msg_sent_total", **streamed) == 5


def test_stages_add_up_to_what_calls_took(models: Path) -> None:
    request = PredictRequest(model="wide", pixels_u8=bytes(784 * 50))
    with start_server(models) as server, grpc.insecure_channel(server.grpc_address) as channel:
        for _ in range(20):
            predict(channel, request)
        seconds = {}
        for stage in STAGES:
            assert value(server, "mlpserve_stage_seconds_count", stage=stage) == 20
            seconds[stage] = value(server, "mlpserve_stage_seconds_sum", stage=stage)
        whole = value(server, "grpc_server_handling_seconds_sum", **PREDICT)
    assert max(seconds, key=lambda stage: seconds[stage]) == "run"
    # Nothing is counted twice, and what is left out is little beside a model that is slow.
    assert 0.5 * whole < sum(seconds.values()) <= whole


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


def test_the_page_about_metrics_is_current() -> None:
    assert generate_metrics_page.PAGE.read_text() == generate_metrics_page.page(), (
        "run `python -m tests.generate_metrics_page`"
    )
