"""One caller that floods a server keeps nobody else from it, and leaves nothing behind."""

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import http2
from harness.calls import BLACK, PREDICT, STREAM, predict_method, raw_method, retry_seconds
from harness.http2.attacks import ATTACKS, attacking
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.modes import ON_THE_LANE

CHECK, WATCH = (f"/grpc.health.v1.Health/{name}" for name in ("Check", "Watch"))
GAUGES = ("grpc_server_calls_in_progress", "mlpserve_queued_images", "mlpserve_queued_bytes")
BURST = 2500
MESSAGE = PredictRequest(pixels=BLACK).SerializeToString()
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="module")
def flooded(repository: Path, lane: bool) -> Iterator[ServerProcess]:
    with start_server(repository, *mode(lane)) as running:
        yield running


@pytest.fixture(scope="module")
def small(repository: Path) -> Iterator[ServerProcess]:
    """A server with room for little."""
    with start_server(repository, "--max-streams", "4", "--max-message-bytes", "4096") as running:
        yield running


@contextlib.contextmanager
def connected(server: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection that nobody else has."""
    with grpc.insecure_channel(server.grpc_address, options=OWN_CONNECTION) as channel:
        yield channel


def wait_until_quiet(server: ServerProcess) -> None:
    """Return once nothing is in progress."""
    wait_for(lambda: not any(value(server, gauge) for gauge in GAUGES))


def answered(channel: grpc.Channel) -> None:
    """Return once calls are answered; one that comes in a crowd may be told to come back."""
    for path, message in ((PREDICT, MESSAGE), (CHECK, b"")):
        call = functools.partial(raw_method(channel, path), message, timeout=60)
        for _ in range(5):
            wait_for(functools.partial(_is_answered, call))


def _is_answered(call: Callable[[], object]) -> bool:
    """Whether a call has an answer; fails if it has anything but that or a reason to come back."""
    try:
        return bool(call())
    except grpc.RpcError as error:
        code = error.code()
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    return False


@pytest.mark.parametrize("name", ATTACKS)
def test_floods_of_frames(flooded: ServerProcess, name: str) -> None:
    workers = flooded.workers
    with attacking(flooded.grpc_address, ATTACKS[name]) as begun, connected(flooded) as channel:
        assert begun.wait(60)
        answered(channel)
    wait_until_quiet(flooded)
    assert flooded.workers == workers


@ON_THE_LANE
@pytest.mark.parametrize("name", ["begun", "reset"])
@pytest.mark.parametrize("path", [CHECK, WATCH, STREAM, "/no.such/Method"])
def test_floods_of_calls_of_other_methods(flooded: ServerProcess, path: str, name: str) -> None:
    workers = flooded.workers
    with attacking(flooded.grpc_address, ATTACKS[name], path) as begun:
        assert begun.wait(60)
        with connected(flooded) as channel:
            answered(channel)
    wait_until_quiet(flooded)
    assert flooded.workers == workers


@ON_THE_LANE
def test_the_number_of_streams_is_told(flooded: ServerProcess) -> None:
    with http2.connect(flooded.grpc_address) as connection:
        told = next(frame for frame in connection.frames() if frame.kind == http2.SETTINGS).content
    settings = {
        int.from_bytes(told[at : at + 2]): int.from_bytes(told[at + 2 : at + 6])
        for at in range(0, len(told), 6)
    }
    # RFC 9113, section 6.5.2; it recommends at least 100.
    assert 100 <= settings[3] <= 1000


@pytest.mark.parametrize(("path", "connections"), [(PREDICT, 20), (CHECK, 1)])
def test_each_call_of_a_burst_has_an_answer(
    flooded: ServerProcess, path: str, connections: int
) -> None:
    method = path.rpartition("/")[2]
    name = "grpc_server_handled_total"
    before = {
        code: value(flooded, name, grpc_method=method, grpc_code=code)
        for code in ("OK", "ResourceExhausted")
    }
    message = MESSAGE if path == PREDICT else b""
    with contextlib.ExitStack() as stack:
        options = [*OWN_CONNECTION, ("grpc.enable_retries", 0)]
        channels = [
            stack.enter_context(grpc.insecure_channel(flooded.grpc_address, options=options))
            for _ in range(connections)
        ]
        futures = [
            raw_method(channels[index % connections], path).future(message, timeout=120)
            for index in range(BURST)
        ]
        codes = Counter(future.code() for future in futures)
        assert codes.keys() <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        refused: list[Any] = [one for one in futures if one.code() is not grpc.StatusCode.OK]
        assert all(retry_seconds(one) for one in refused)
    wait_until_quiet(flooded)
    for code, count in before.items():
        status_code = grpc.StatusCode.OK if code == "OK" else grpc.StatusCode.RESOURCE_EXHAUSTED
        handled = value(flooded, name, grpc_method=method, grpc_code=code)
        assert handled - count == codes[status_code]


@ON_THE_LANE
def test_watches_are_bounded(flooded: ServerProcess) -> None:
    request = health_pb2.HealthCheckRequest()
    with connected(flooded) as greedy, connected(flooded) as other:
        watches = [health_pb2_grpc.HealthStub(greedy).Watch(request) for _ in range(100)]
        assert {next(watch).status for watch in watches} == {health_pb2.HealthCheckResponse.SERVING}
        refused = health_pb2_grpc.HealthStub(greedy).Watch(request)
        with pytest.raises(grpc.RpcError, match="100 calls of Watch are in progress on this") as it:
            next(refused)
        assert it.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_seconds(it.value)
        reason = {"reason": "too_many_watchers"}
        assert value(flooded, "mlpserve_rejected_requests_total", **reason) == 1
        mine = health_pb2_grpc.HealthStub(other).Watch(request)
        assert next(mine).status == health_pb2.HealthCheckResponse.SERVING
        mine.cancel()
        watches.pop().cancel()
        # Whose place is free again.
        stub = health_pb2_grpc.HealthStub(greedy)
        wait_for(lambda: _is_answered(lambda: next(stub.Watch(request, timeout=60))))
        for watch in watches:
            watch.cancel()
    wait_until_quiet(flooded)


def test_watcher_that_does_not_read_keeps_no_other_from_its_news(repository: Path) -> None:
    with (
        start_server(repository, "--stop-grace-seconds", "600") as server,
        http2.connect(server.grpc_address) as deaf,
        connected(server) as channel,
    ):
        # No stream may send anything: SETTINGS_INITIAL_WINDOW_SIZE is 0.
        deaf.send(http2.SETTINGS, b"\0\x04\0\0\0\0")
        for stream in range(1, 41, 2):
            deaf.begin(WATCH, stream)
            deaf.finish(b"", stream)
        wait_for(lambda: value(server, "grpc_server_started_total", grpc_method="Watch") == 20)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service="mlpserve.v1.Classifier")
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        server.process.terminate()
        # It ends, after the news, though the others have not taken theirs.
        seen = [response.status for response in watch]
        assert seen == [health_pb2.HealthCheckResponse.NOT_SERVING]
        deaf.socket.close()
        assert server.process.wait(60) == 0


def test_idle_streams_of_one_connection_make_room(small: ServerProcess) -> None:
    with http2.connect(small.grpc_address) as greedy, connected(small) as channel:
        for stream in range(1, 9, 2):
            greedy.begin(STREAM, stream)
        wait_for(lambda: value(small, "grpc_server_calls_in_progress") == 4)
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(STREAM)
        wait_for(lambda: _is_answered(lambda: next(call(iter([MESSAGE]), timeout=60))))
        assert value(small, "mlpserve_rejected_requests_total", reason="idle_stream") == 1
        # The others are its share.
        assert value(small, "grpc_server_calls_in_progress", grpc_method="PredictStream") >= 3


def test_answers_above_the_limit_are_no_success(small: ServerProcess) -> None:
    with connected(small) as channel:
        with pytest.raises(grpc.RpcError, match="more than max_message_bytes, 4096; ask") as caught:
            raw_method(channel, "/mlpserve.v1.Classifier/GetNetwork")(b"", timeout=60)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        code = {"grpc_method": "GetNetwork", "grpc_code": "ResourceExhausted"}
        assert value(small, "grpc_server_handled_total", **code) == 1
        assert value(small, "mlpserve_rejected_requests_total", reason="answer_bytes") == 1
        request = PredictRequest(pixels_u8=bytes(784 * 5), hidden_activations=True)
        assert predict_method(channel)(request.SerializeToString(), timeout=60).labels
