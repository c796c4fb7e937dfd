"""What is too much is turned away at once, and what nobody waits for never runs."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness.calls import PREDICT, predict, predict_method, raw_method, retry_seconds
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.faults import SLOW, Runs
from tests.server.modes import ON_THE_LANE

CHECK = "/grpc.health.v1.Health/Check"
IMAGES = 8
"""Of a call to the slow model."""

LIMITS = (
    *("--max-concurrent-calls", "12", "--max-queued-images", "16", "--max-batch-size", "16"),
    *("--max-arriving-messages", "1"),
)


def message(model: str, images: int) -> bytes:
    return PredictRequest(model=model, pixels_u8=bytes(784 * images)).SerializeToString()


def started(server: ServerProcess) -> float:
    return value(server, "grpc_server_started_total", grpc_method="Predict")


def rejected(server: ServerProcess, *reasons: str) -> float:
    return sum(
        value(server, "mlpserve_rejected_requests_total", reason=reason) for reason in reasons
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Holds the runs of the slow model in a server of one thread."""
    folder = tmp_path_factory.mktemp("runs") / "change"
    return Runs.of(folder, {"server.rpc.endpoint": "THREADS = 1"})


@pytest.fixture(scope="module")
def narrow(models: Path, runs: Runs, lane: bool) -> Iterator[ServerProcess]:
    """A server with room for little, whose slow model can be held."""
    with start_server(models, *LIMITS, *mode(lane), **runs.variables) as running:
        yield running


@pytest.fixture
def channel(narrow: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection that nobody else has, to a server with nothing to do."""
    wait_for(lambda: value(narrow, "grpc_server_calls_in_progress", grpc_method="Predict") == 0)
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(narrow.grpc_address, options=options) as opened:
        yield opened


@contextlib.contextmanager
def occupied(runs: Runs, channel: grpc.Channel) -> Iterator[Any]:
    """Keep the slow model busy with a call, which is answered after the block."""
    with runs.held():
        slow = predict_method(channel).future(message(SLOW, IMAGES), timeout=120)
        runs.wait_until_begun()
        yield slow
        assert not slow.done()
    assert len(slow.result().labels) == IMAGES


def test_calls_beyond_the_limit_are_turned_away_at_once(
    narrow: ServerProcess, runs: Runs, channel: grpc.Channel, lane: bool
) -> None:
    code = {"grpc_method": "Predict", "grpc_code": "ResourceExhausted"}
    before = value(narrow, "grpc_server_handled_total", **code), rejected(narrow, "too_many_calls")
    with occupied(runs, channel):
        call = predict_method(channel)
        # On the lane more than these would have to wait for room in the queue.
        waiting = [call.future(message(SLOW, 1), timeout=120) for _ in range(11)]
        if lane:
            wait_for(lambda: value(narrow, "mlpserve_queued_images") == 11)
        errors = []
        for _ in range(5):
            with pytest.raises(grpc.RpcError, match="12 calls are in progress") as caught:
                predict(channel, message("digits", 1))
            errors.append(caught.value)
    assert [len(future.result().labels) for future in waiting] == [1] * 11
    assert {error.code() for error in errors} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert all(0 < (retry_seconds(error) or 0) <= 1 for error in errors)
    after = value(narrow, "grpc_server_handled_total", **code), rejected(narrow, "too_many_calls")
    assert after == (before[0] + 5, before[1] + 5)
    # After the crowd the door is open.
    assert predict(channel, message("digits", 1)).labels


@ON_THE_LANE
def test_images_beyond_the_queue_are_turned_away(
    narrow: ServerProcess, runs: Runs, channel: grpc.Channel
) -> None:
    before = rejected(narrow, "queue_full")
    with occupied(runs, channel):
        waiting = predict_method(channel).future(message(SLOW, 16), timeout=120)
        wait_for(lambda: value(narrow, "mlpserve_queued_images") == 16)
        for count in range(1, 4):
            with pytest.raises(grpc.RpcError, match="queue is full: 16 images") as caught:
                predict(channel, message(SLOW, 4))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert 0 < (retry_seconds(caught.value) or 0) <= 1
            assert rejected(narrow, "queue_full") == before + count
    assert len(waiting.result().labels) == 16


@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_calls_that_nobody_waits_for_do_not_run(
    narrow: ServerProcess, runs: Runs, channel: grpc.Channel, how: str, lane: bool
) -> None:
    reasons = ("deadline", "cancelled", "no_message")
    begun, dropped = started(narrow), rejected(narrow, *reasons)
    images = value(narrow, "mlpserve_images_total", model=SLOW)
    with occupied(runs, channel):
        call = predict_method(channel)
        timeout = 0.2 if how == "deadline" else 60
        doomed = [call.future(message(SLOW, 2), timeout=timeout) for _ in range(7)]
        if how == "cancel":
            # Without the lane a call that waits for a thread is counted when it has one.
            wait_for(lambda: not lane or value(narrow, "mlpserve_queued_images") == 14)
            for future in doomed:
                future.cancel()
        code = {
            "deadline": grpc.StatusCode.DEADLINE_EXCEEDED,
            "cancel": grpc.StatusCode.CANCELLED,
        }[how]
        assert [future.code() for future in doomed] == [code] * 7
        settled = 5
        for _ in range(settled):
            # What is answered now was sent after the server was told that they are over.
            if lane:
                assert predict(channel, message("digits", 1)).labels
            else:
                assert raw_method(channel, CHECK)(b"", timeout=60)
    # One that is answered after them shows that they have been skipped.
    assert len(predict(channel, message(SLOW, 1)).labels) == 1
    assert value(narrow, "mlpserve_images_total", model=SLOW) == images + IMAGES + 1
    # A call that has ended before it reached the server is none to it.
    answered = 2 + (settled if lane else 0)
    wait_for(lambda: rejected(narrow, *reasons) - dropped == started(narrow) - begun - answered)


def never() -> tuple[Iterator[bytes], threading.Event]:
    """Return messages of which none comes, and what ends the waiting for one."""
    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait()
        yield from ()

    return nothing(), over


def test_caller_that_leaves_before_its_message(
    narrow: ServerProcess, channel: grpc.Channel, lane: bool
) -> None:
    begun, dropped = started(narrow), rejected(narrow, "no_message")
    nothing, over = never()
    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(PREDICT)
    future = call.future(nothing, timeout=60)
    if lane:
        wait_for(lambda: started(narrow) == begun + 1)
    future.cancel()
    over.set()
    assert predict(channel, message("digits", 1)).labels
    if lane:
        wait_for(lambda: rejected(narrow, "no_message") == dropped + 1)


@ON_THE_LANE
def test_message_that_does_not_arrive_holds_up_nobody_for_long(
    narrow: ServerProcess, channel: grpc.Channel
) -> None:
    begun, dropped = started(narrow), rejected(narrow, "slow_message")
    nothing, over = never()
    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(PREDICT)
    stuck = call.future(nothing, timeout=60)
    wait_for(lambda: started(narrow) == begun + 1)
    assert predict(channel, message("digits", 1)).labels
    assert stuck.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    over.set()
    assert rejected(narrow, "slow_message") == dropped + 1
