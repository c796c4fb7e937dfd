"""What is used of grpcio's inside, and that the server serves without it."""

import json
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import http2
from harness.calls import BLACK, PREDICT, Idle, predict, stream_method
from harness.changes import write_changes
from harness.server_process import mode, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.rpc.threads import inside

WITHOUT = """
from grpc import _server
del _server._abort
_in_pool = _server._stream_response_in_pool
_server._stream_response_in_pool = lambda *arguments: _in_pool(*arguments)
_server._select_thread_pool_for_behavior = lambda _behavior, pool: pool
"""
"""Python runs it before the server, where it finds it as sitecustomize."""


def test_this_grpcio_has_it_all() -> None:
    assert inside.missing() == []


def test_server_without_any_of_it_says_so_and_serves(
    repository: Path, tmp_path: Path, lane: bool
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    variables = {"PYTHONPATH": str(tmp_path)}
    with start_server(repository, "--max-streams", "2", *mode(lane), **variables) as server:
        with grpc.insecure_channel(server.grpc_address) as channel:
            assert predict(channel, PredictRequest(pixels=BLACK)).labels
            requests = Idle()
            answers = stream_method(channel)(iter(requests), timeout=60)
            requests.send(PredictRequest(pixels=BLACK))
            assert next(answers).response.labels
            requests.finish()
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            assert stub.Check(request, timeout=60).status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.RpcError) as caught:
                next(stub.Watch(request, timeout=60))
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        warnings = [line for line in server.log if line["level"] == "warning"]
        assert any("threads for each kind of method" in json.dumps(line) for line in warnings)


def test_call_that_can_t_be_ended_is_cancelled(repository: Path, tmp_path: Path) -> None:
    changes = {
        "server.rpc.threads.inside": "CAN_END_CALLS = False",
        "server.rpc.endpoint": "THREADS = 1",
    }
    path = write_changes(tmp_path / "path", changes)
    limits = ("--max-arriving-messages", "1", *mode(lane=False))
    with (
        start_server(repository, *limits, PYTHONPATH=path) as server,
        http2.connect(server.grpc_address) as stalled,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for stream in range(1, 11, 2):
            stalled.begin(PREDICT, stream)
        assert predict(channel, PredictRequest(pixels=BLACK)).labels
