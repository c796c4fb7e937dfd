"""Callers that send the beginning of a call, and then nothing, keep nobody else waiting."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from harness import http2
from harness.calls import BLACK, PREDICT, predict_method, raw_method, stream_method
from harness.changes import write_changes
from harness.http2 import Connection
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.modes import ON_THE_LANE

CHECK = "/grpc.health.v1.Health/Check"
INFER = "/inference.GRPCInferenceService/ModelInfer"
LIST = "/mlpserve.v1.Classifier/ListModels"

PATIENCE_SECONDS = 60.0
"""What no call should come near. Without turns a good one waits for hundreds of seconds, or for as
long as the others stay.
"""


@pytest.fixture(scope="module")
def stalled(repository: Path, lane: bool) -> Iterator[ServerProcess]:
    """A server whose callers stall."""
    with start_server(repository, *mode(lane)) as running:
        yield running


def request() -> bytes:
    return PredictRequest(pixels=BLACK).SerializeToString()


@contextlib.contextmanager
def connections(server: ServerProcess, number: int) -> Iterator[list[Connection]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(http2.connect(server.grpc_address)) for _ in range(number)]


def stall(
    server: ServerProcess, opened: list[Connection], path: str, calls: int, size: int
) -> None:
    """Begin calls on each connection, with the first bytes of a message unless that has none."""
    name = path.rpartition("/")[2]
    before = value(server, "grpc_server_started_total", grpc_method=name)
    for connection in opened:
        for index in range(calls):
            connection.begin(path, 2 * index + 1)
            if size:
                connection.dribble(size, 2 * index + 1)
    wanted = before + calls * len(opened)
    wait_for(lambda: value(server, "grpc_server_started_total", grpc_method=name) >= wanted)


def answer(server: ServerProcess, times: int = 3) -> None:
    """Fail unless good calls of each kind are answered."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        for _ in range(times):
            assert predict_method(channel)(request(), timeout=PATIENCE_SECONDS).labels
            assert raw_method(channel, CHECK)(b"", timeout=PATIENCE_SECONDS) == b"\x08\x01"
            assert raw_method(channel, LIST)(b"", timeout=PATIENCE_SECONDS)


def wait_until_gone(server: ServerProcess) -> None:
    """Return once the server has nothing left to do."""
    gauges = ("grpc_server_calls_in_progress", "mlpserve_queued_images", "mlpserve_queued_bytes")
    wait_for(lambda: not any(value(server, gauge) for gauge in gauges))


@pytest.mark.parametrize("size", [0, 3000, 60_000_000], ids=["headers", "small", "large"])
@pytest.mark.parametrize("path", [PREDICT, CHECK])
def test_half_open_calls_of_one_connection(stalled: ServerProcess, path: str, size: int) -> None:
    with connections(stalled, 1) as opened:
        stall(stalled, opened, path, 90, size)
        answer(stalled)
    wait_until_gone(stalled)


@ON_THE_LANE
@pytest.mark.parametrize("path", [INFER, LIST])
def test_half_open_calls_of_other_methods(stalled: ServerProcess, path: str) -> None:
    with connections(stalled, 1) as opened:
        stall(stalled, opened, path, 90, 3000)
        answer(stalled)
    wait_until_gone(stalled)


@pytest.mark.parametrize("path", [PREDICT, CHECK])
def test_half_open_calls_of_many_connections(stalled: ServerProcess, path: str) -> None:
    with connections(stalled, 60) as opened:
        stall(stalled, opened, path, 3, 3000)
        answer(stalled, times=10)
        # Those that have been given up come again.
        for connection in opened:
            connection.begin(path, 101)
        answer(stalled, times=10)
    assert value(stalled, "mlpserve_rejected_requests_total", reason="slow_message") > 0
    wait_until_gone(stalled)


def test_one_connection_can_t_have_all_calls(repository: Path, lane: bool) -> None:
    limits = ["--max-concurrent-calls", "50", "--max-arriving-messages", "4"]
    with start_server(repository, *limits, *mode(lane)) as server:
        with connections(server, 1) as opened:
            stall(server, opened, PREDICT, 80, 0)
            assert value(server, "mlpserve_rejected_requests_total", reason="too_many_calls") >= 30
            with grpc.insecure_channel(server.grpc_address) as channel:
                wait_for(lambda: is_answered(channel))
                # From now on the others are known.
                for _ in range(10):
                    assert is_answered(channel)
        wait_until_gone(server)


def test_one_call_after_the_other_is_one_at_a_time(repository: Path, tmp_path: Path) -> None:
    # As if a thread never got a core again once the answer has left.
    changes = {"server.rpc.threads.pools": "Pool._forget = Pool._leave"}
    variables = {"PYTHONPATH": write_changes(tmp_path / "changes", changes)}
    limits = ["--max-concurrent-calls", "1", "--max-streams", "1"]
    with start_server(repository, *limits, *mode(lane=False), **variables) as server:
        with grpc.insecure_channel(server.grpc_address) as channel:
            for _ in range(5):
                assert predict_method(channel)(request(), timeout=PATIENCE_SECONDS).labels
                assert len(list(stream_method(channel)(iter([request()])))) == 1
        wait_until_gone(server)


def is_answered(channel: grpc.Channel) -> bool:
    try:
        return bool(predict_method(channel)(request(), timeout=PATIENCE_SECONDS).labels)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False
