"""Threads are in batch scheduling as long as calls keep them busy, and nothing else does."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness.calls import predict_method
from harness.changes import write_changes
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.system import scheduling

MESSAGE = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
CALLERS = 4

ANY_SHARE_IS_BUSY = "BUSY = IDLE = 0.0"
"""Changes the server, since which share of a core its calls get is the machine's matter."""


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
def called(server: ServerProcess) -> Iterator[list[int]]:
    """Have several callers call over and over until the block ends, and count their calls."""
    ended, counts = threading.Event(), [0] * CALLERS

    def call_on(channel: grpc.Channel, index: int) -> None:
        while not ended.is_set():
            predict_method(channel)(MESSAGE, timeout=60)
            counts[index] += 1

    with grpc.insecure_channel(server.grpc_address) as channel:
        callers = [
            threading.Thread(target=call_on, args=(channel, index)) for index in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        try:
            yield counts
        finally:
            ended.set()
            for caller in callers:
                caller.join()


@dataclass
class FakeLane:
    max_in_progress: int = 0
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
    lane: Any = FakeLane()
    watch = scheduling.Scheduling(lane)
    found = []
    for share in shares:
        lane.max_in_progress = in_progress
        watch._decide(share)
        found.append(watch._is_batch)
        assert lane.max_in_progress == 0
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


def test_only_threads_that_serve_calls_are_counted() -> None:
    begun, ended = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        ended.wait()

    of_the_lane, slow_run = (threading.Thread(target=wait) for _ in range(2))
    for thread in (of_the_lane, slow_run):
        thread.start()
    lane: Any = FakeLane(thread_id=of_the_lane.native_id or 0)
    watch = scheduling.Scheduling(lane)
    watch._spend()
    ended.set()
    assert of_the_lane.native_id in watch._nanoseconds
    assert slow_run.native_id not in watch._nanoseconds
    assert threading.main_thread().native_id not in watch._nanoseconds


def test_busy_threads_interrupt_no_other(repository: Path, tmp_path: Path) -> None:
    path = write_changes(tmp_path / "change", {"server.system.scheduling": ANY_SHARE_IS_BUSY})
    with start_server(repository, PYTHONPATH=path) as server:
        assert policies(server) == {os.SCHED_OTHER}
        with called(server):
            wait_for(lambda: policies(server) == {os.SCHED_BATCH})
        wait_for(lambda: policies(server) == {os.SCHED_OTHER})
