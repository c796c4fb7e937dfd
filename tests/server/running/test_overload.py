"""What is too much is turned away at once, and what nobody waits for never runs."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from harness.calls import PREDICT, predict, predict_method, status
from harness.changes import write_changes
from harness.scrape import value
from harness.server_process import ServerProcess, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest

pytestmark = pytest.mark.both_modes

SLOW_IMAGES = 8000
"""Images of a call that keeps the wide model busy for some seconds."""


def message(model: str, images: int) -> bytes:
    return PredictRequest(model=model, pixels_u8=bytes(784 * images)).SerializeToString()


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once it is so, within half a minute."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.01)


def started(server: ServerProcess) -> float:
    return value(server, "grpc_server_started_total", grpc_method="Predict")


def rejected(server: ServerProcess, reason: str) -> float:
    return value(server, "mlpserve_rejected_requests_total", reason=reason)


@contextlib.contextmanager
def occupied(
    models: Path, *arguments: str, slow_calls: int = 1, **variables: str
) -> Iterator[tuple[ServerProcess, grpc.Channel, list[Any]]]:
    """A server whose wide model is busy with some calls, a connection to it, and these calls."""
    with (
        start_server(
            models, "--max-batch-size", str(SLOW_IMAGES), *arguments, **variables
        ) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        call = predict_method(channel)
        slow = [call.future(message("wide", SLOW_IMAGES), timeout=120) for _ in range(slow_calls)]
        wait_for(lambda: started(server) == slow_calls)
        wait_for(lambda: value(server, "mlpserve_queued_images") == 0 or slow_calls > 1)
        yield server, channel, slow
        assert [len(future.result().labels) for future in slow] == [SLOW_IMAGES] * slow_calls


def retry_seconds(error: grpc.RpcError) -> float:
    detail = error_details_pb2.RetryInfo()
    (packed,) = status(error).details
    assert packed.Unpack(detail)
    return float(detail.retry_delay.ToTimedelta().total_seconds())


def test_calls_beyond_the_limit_are_turned_away_at_once(models: Path) -> None:
    limit = ["--max-concurrent-calls", "3"]
    with occupied(models, *limit, slow_calls=3) as (server, channel, slow):
        errors = []
        for _ in range(5):
            with pytest.raises(grpc.RpcError, match="3 calls are in progress") as caught:
                predict(channel, message("digits", 1))
            errors.append(caught.value)
        assert not any(future.done() for future in slow), "they were answered at once"
        assert {error.code() for error in errors} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert all(0 < retry_seconds(error) <= 1 for error in errors)
        assert rejected(server, "too_many_calls") == 5
        code = {"grpc_method": "Predict", "grpc_code": "ResourceExhausted"}
        assert value(server, "grpc_server_handled_total", **code) == 5


def test_after_the_crowd_the_door_is_open(models: Path) -> None:
    with occupied(models, "--max-concurrent-calls", "1") as (_, channel, slow):
        with pytest.raises(grpc.RpcError):
            predict(channel, message("digits", 1))
        slow[0].result()
        wait_for(lambda: not isinstance(attempt(channel), grpc.RpcError))


def attempt(channel: grpc.Channel) -> object:
    try:
        return predict(channel, message("digits", 1))
    except grpc.RpcError as error:
        return error


def test_images_beyond_the_queue_are_turned_away(models: Path, lane: bool) -> None:
    if not lane:
        pytest.skip("without the lane no images wait: each call's message is read when it runs")
    with occupied(models, "--max-queued-images", str(SLOW_IMAGES)) as (server, channel, slow):
        waiting = predict_method(channel).future(message("wide", SLOW_IMAGES), timeout=120)
        wait_for(lambda: value(server, "mlpserve_queued_images") == SLOW_IMAGES)
        for count in range(1, 4):
            with pytest.raises(
                grpc.RpcError, match=f"queue is full: {SLOW_IMAGES} images"
            ) as caught:
                predict(channel, message("wide", 4))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert 0 < retry_seconds(caught.value) <= 1
            assert rejected(server, "queue_full") == count
        assert not slow[0].done()
        assert len(waiting.result().labels) == SLOW_IMAGES


@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_calls_that_nobody_waits_for_do_not_run(
    models: Path, tmp_path: Path, how: str, lane: bool
) -> None:
    path = write_changes(tmp_path / "path", {"server.rpc.endpoint": "THREADS = 1"})
    with occupied(models, PYTHONPATH=path) as (server, channel, slow):
        call = predict_method(channel)
        timeout = 0.2 if how == "deadline" else 60
        doomed = [call.future(message("wide", 7), timeout=timeout) for _ in range(10)]
        if how == "cancel":
            # Without the lane a call that waits for a thread is counted when it has one.
            wait_for(lambda: not lane or value(server, "mlpserve_queued_images") == 70)
            for future in doomed:
                future.cancel()
        code = {
            "deadline": grpc.StatusCode.DEADLINE_EXCEEDED,
            "cancel": grpc.StatusCode.CANCELLED,
        }[how]
        assert [future.code() for future in doomed] == [code] * 10
        assert not slow[0].done()
        slow[0].result()
        # One that is answered after them shows that they have been passed over.
        assert len(predict(channel, message("wide", 1)).labels) == 1
        assert value(server, "mlpserve_images_total", model="wide") == SLOW_IMAGES + 1

        def are_counted() -> bool:
            reasons = ("deadline", "cancelled", "no_message")
            dropped = sum(rejected(server, reason) for reason in reasons)
            return dropped == started(server) - 2

        wait_for(are_counted)


def test_caller_that_leaves_before_its_message(models: Path, lane: bool) -> None:
    with (
        start_server(models) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        never = threading.Event()

        def nothing() -> Iterator[bytes]:
            never.wait()
            yield from ()

        call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(PREDICT)
        future = call.future(nothing(), timeout=60)
        if lane:
            wait_for(lambda: started(server) == 1)
        future.cancel()
        never.set()
        assert predict(channel, message("digits", 1)).labels
        if lane:
            wait_for(lambda: rejected(server, "no_message") == 1)


def test_message_that_does_not_arrive_holds_up_nobody_for_long(models: Path, lane: bool) -> None:
    if not lane:
        pytest.skip("without the lane a slow message holds one of the threads")
    with (
        start_server(models, "--max-arriving-messages", "1") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        never = threading.Event()

        def nothing() -> Iterator[bytes]:
            never.wait()
            yield from ()

        call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(PREDICT)
        stuck = call.future(nothing(), timeout=60)
        wait_for(lambda: started(server) == 1)
        assert predict(channel, message("digits", 1)).labels
        assert stuck.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        never.set()
        assert rejected(server, "slow_message") == 1


def test_memory_is_bounded_whatever_is_sent(models: Path, tmp_path: Path) -> None:
    images = 2048
    limits = ["--max-arriving-messages", "4", "--max-queued-images", "8192"]
    # One thread, since without the lane each would run the model, in memory of its own.
    path = write_changes(tmp_path / "path", {"server.rpc.endpoint": "THREADS = 1"})
    with (
        start_server(models, *limits, PYTHONPATH=path) as server,
        grpc.insecure_channel(
            server.grpc_address, options=[("grpc.max_send_message_length", -1)]
        ) as channel,
    ):
        big = PredictRequest(model="wide", pixels=[0.5] * 784 * images).SerializeToString()
        before = value(server, "process_resident_memory_bytes")
        futures = [predict_method(channel).future(big, timeout=120) for _ in range(60)]
        most = before
        while not all(future.done() for future in futures):
            most = max(most, value(server, "process_resident_memory_bytes"))
        codes = {future.code() for future in futures}
        assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        # All at once they would take 385 MB as messages alone.
        assert most - before < 0.7 * len(big) * len(futures)
