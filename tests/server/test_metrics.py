"""What Prometheus reads after known calls."""

from itertools import pairwise
from pathlib import Path

import grpc
import httpx
import pytest

from mlpserve.v1.classifier_pb2 import PredictRequest
from server.metrics import LATENCY_BUCKETS
from tests.server.calls import predict
from tests.server.scrape import samples, value
from tests.server_process import start_server

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
