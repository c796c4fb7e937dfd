"""Threads are in batch scheduling as long as calls keep them busy, and nothing else does."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from harness.calls import predict, predict_method
from harness.scrape import value
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.system import scheduling

DEAR = PredictRequest(model="digits", pixels_u8=bytes(784 * 1000)).SerializeToString()
"""Keeps the lane busier than its caller."""
BUSY_SECONDS = 10.0

SLOW = PredictRequest(model="wide", pixels_u8=bytes(784 * 4096)).SerializeToString()


def policies(server: ServerProcess) -> set[int]:
    """Return how gRPC's threads in the worker are scheduled."""
    (worker,) = server.workers
    found = set()
    for thread in Path(f"/proc/{worker}/task").iterdir():
        # They come and go.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            if (thread / "comm").read_text().strip() == "event_engine":
                found.add(os.sched_getscheduler(int(thread.name)))
    return found


@contextlib.contextmanager
def called(server: ServerProcess, message: bytes, in_flight: int) -> Iterator[None]:
    """Call over and over until the block ends."""
    ended = threading.Event()

    def call_on(channel: grpc.Channel) -> None:
        while not ended.is_set():
            predict_method(channel)(message, timeout=60)

    with grpc.insecure_channel(server.grpc_address) as channel:
        callers = [threading.Thread(target=call_on, args=(channel,)) for _ in range(in_flight)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            ended.set()
            for caller in callers:
                caller.join()


@dataclass
class FakeLane:
    most_in_progress: int = 0
    thread_id: int = 0

    def join(self, _seconds: float) -> bool:
        return True


@pytest.mark.parametrize(
    ("shares", "in_progress", "expected"),
    [
        ([0.7, 0.9, 0.6, 0.4, 0.6, 0.9], 8, [False, True, True, False, False, True]),
        ([1.0, 1.0], 1, [False, False]),
        ([0.0, 0.79, 0.5], 64, [False, False, False]),
    ],
    ids=["busy and idle", "a lone caller", "not enough"],
)
def test_calls_that_meet_and_fill_a_core_are_batch_work(
    shares: list[float], in_progress: int, expected: list[bool]
) -> None:
    lane = FakeLane()
    watch = scheduling.Scheduling(lane)
    found = []
    for share in shares:
        lane.most_in_progress = in_progress
        watch._decide(share)
        found.append(watch._is_batch)
        assert lane.most_in_progress == 0
    assert found == expected


def test_the_policy_of_threads_is_set_as_far_as_they_are_there() -> None:
    found: list[int] = []

    def look() -> None:
        me = threading.get_native_id()
        scheduling._set_policy([me, 2**22 - 1], os.SCHED_BATCH)
        found.append(os.sched_getscheduler(me))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [os.SCHED_BATCH]


def test_busy_threads_interrupt_no_other(models: Path, lane: bool) -> None:
    """Whether they get that busy is the machine's matter; how they are afterwards is not."""
    if not lane:
        pytest.skip("without the lane calls are scheduled as ever")
    with start_server(models, "--max-batch-size", "1000") as server:
        assert policies(server) == {os.SCHED_OTHER}
        with called(server, DEAR, in_flight=4):
            end = time.monotonic() + BUSY_SECONDS
            while policies(server) != {os.SCHED_BATCH} and time.monotonic() < end:
                assert policies(server) <= {os.SCHED_BATCH, os.SCHED_OTHER}
        wait_for(lambda: policies(server) == {os.SCHED_OTHER})


def test_a_slow_run_makes_nobody_wait(models: Path) -> None:
    quick = PredictRequest(model="digits", pixels_u8=bytes(784))
    with (
        start_server(models) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        called(server, SLOW, in_flight=2),
    ):
        while value(server, "mlpserve_run_calls_count", model="wide") < 8:
            predict(channel, quick)
            assert policies(server) == {os.SCHED_OTHER}
